"""Runs: one recipe fitted with one seed, evaluated, and kept in a folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import torch

from mmgat.model.bag_model import BagModel
from mmgat.model.checkpoint import save_tensors
from mmgat.training.comparators.classical import CLASSICAL, PerLabel
from mmgat.training.comparators.preparation import Preparation
from mmgat.training.comparators.systems.bosch_svm import SupportVectors
from mmgat.training.comparators.systems.staged_convnet import Stage
from mmgat.training.data.bags import Bags, Targets
from mmgat.training.data.yard_store import Yard
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.ensemble import EnsembleTargets, ensemble_runs, ensemble_scores
from mmgat.training.fitting.fit import NETWORK, Array, fit, predict
from mmgat.training.fitting.recipe import Recipe, read_recipe
from mmgat.training.fitting.run_folder import FIRST, RESULT, load_run, reserve_run, thresholds_of
from mmgat.training.fitting.thresholds import calibrate
from mmgat.training.metrics import mean_average_precision, report_of


def run(
    config: Path,
    data: Path,
    folder: Path,
    seed: int | None = None,
    report: Callable[[str], None] = print,
    devices: int | Literal["auto"] = "auto",
) -> dict[str, Any]:
    """Fits a recipe and writes ``folder``/result.json and the network beside it.

    With ``refit``, thresholds are those of a first network, in ``folder``/first, that was not fitted
    to the held-out clips; the network that is kept and evaluated is a second one, fitted to all clips.
    A network with teachers has no first network of its own: the teachers' ones give its thresholds.

    A run that was stopped is resumed; one that is done is only read.

    Args:
        config: the recipe; its name is the name of the run.
        data: the local data folder.
        folder: of the run.
        seed: replaces the recipe's.
        report: takes a line an epoch.
        devices: as in ``fit``.

    Raises:
        TrainingDataError: the recipe or the data are not usable, or the folder holds another run.
    """
    recipe = read_recipe(config)
    if seed is not None:
        recipe = msgspec.structs.replace(recipe, fit=msgspec.structs.replace(recipe.fit, seed=seed))
    description = {"recipe": config.stem, **json.loads(msgspec.json.encode(recipe))}
    reserve_run(folder, description)
    result_path = folder / RESULT
    if result_path.is_file():
        done: dict[str, Any] = json.loads(result_path.read_text("utf-8"))
        return done
    train, held_out = recipe.training_bags(data)
    evaluation = recipe.evaluation_bags(data)
    start, start_processor = time.perf_counter(), time.process_time()
    targets: Callable[[Bags], Targets] = Bags.targets
    if recipe.teachers:
        teachers = ensemble_runs(folder.parent.parent / recipe.teachers)
        targets = EnsembleTargets(
            [load_run(path).network for path in teachers], recipe.distillation_weight
        )
        held_out_scores = ensemble_scores(teachers, held_out)
    else:
        first = folder / FIRST if recipe.refit else folder
        fitted = _fitted(recipe, train, held_out, first, report, devices, data=data)
        held_out_scores = fitted.predict(held_out)
    if recipe.refit:
        report("of all training clips")
        fitted = _fitted(
            recipe, train.join(held_out), None, folder, report, devices, targets, data=data
        )
    thresholds = calibrate(held_out.bag.numpy(), held_out_scores, held_out.bag_weight.numpy())
    if torch.distributed.is_initialized() and torch.distributed.get_rank():
        raise SystemExit  # the first of several processes goes on alone
    training_seconds = time.perf_counter() - start
    processor_seconds = time.process_time() - start_processor
    scores = fitted.predict(evaluation)
    found = report_of(
        evaluation.bag.numpy(),
        scores,
        evaluation.bag_weight.numpy(),
        thresholds_of({"thresholds": thresholds}),
    )
    one_bag = evaluation.select(torch.tensor([0]))
    result = {
        "of": description,
        **found,
        "held_out_map": mean_average_precision(
            held_out.bag.numpy(), held_out_scores, held_out.bag_weight.numpy()
        ),
        "thresholds": thresholds,
        "tags": train.tags.shape[1],
        "parameters": fitted.n_parameters,
        "training_seconds": round(training_seconds),
        "processor_seconds": round(processor_seconds),
        "inference_ms": round(_milliseconds(partial(fitted.predict, one_bag)), 3),
        "evaluation_clips": len(evaluation),
    }
    result_path.write_text(json.dumps(result, indent=1) + "\n")
    return result


@dataclass(frozen=True)
class _Fitted:
    """A fitted network or classifier; ``predict`` gives scores [n, 20] of bags."""

    n_parameters: int
    predict: Callable[[Bags], Array]


def _fitted(
    recipe: Recipe,
    train: Bags,
    held_out: Bags | None,
    folder: Path,
    report: Callable[[str], None],
    devices: int | Literal["auto"],
    targets: Callable[[Bags], Targets] = Bags.targets,
    data: Path | None = None,
) -> _Fitted:
    """Fits the recipe's network, which the folder keeps, or its classifier."""
    if recipe.network in CLASSICAL:
        classifier = PerLabel(recipe.network, recipe.fit.seed).fit(train)
        return _Fitted(classifier.n_parameters, classifier.predict)
    network = recipe.build(train.tags.shape[1])
    if isinstance(network, SupportVectors):
        network.fit(train, recipe.system_config(), recipe.fit.seed)
        folder.mkdir(parents=True, exist_ok=True)
        save_tensors(network.state_dict(), folder / NETWORK)
        return _of_network(network)
    criterion = recipe.criterion(network)
    for stage, stage_folder in _stages(recipe, train, folder, report, data):
        settings = msgspec.structs.replace(
            recipe.fit,
            epochs=stage.epochs,
            learning_rate=recipe.fit.learning_rate * stage.rate,
        )
        fit(
            network, criterion, stage.bags, held_out, settings, stage_folder, report, devices,
            targets,
        )  # fmt: skip
    return _of_network(network)


def _of_network(network: BagModel) -> _Fitted:
    n_parameters = sum(p.numel() for p in network.parameters())
    return _Fitted(n_parameters, lambda bags: predict(network, bags)[0])


def _stages(
    recipe: Recipe, train: Bags, folder: Path, report: Callable[[str], None], data: Path | None
) -> list[tuple[Stage, Path]]:
    """Stages of the fit with their folders; the last one's is that of the run."""
    system = recipe.comparator_system()
    whole = [(Stage(train, recipe.fit.epochs, 1.0), folder)]
    if system is None or (system.prepare is None and system.stages is None):
        return whole
    if data is None or recipe.data != "yard":
        raise TrainingDataError(
            f'expected data = "yard" for {recipe.network}, which needs seconds of one instrument, '
            f"found {recipe.data!r}"
        )
    preparation = Preparation(Yard(data).bags, recipe.fit.seed, report, folder)
    if system.prepare is not None:
        if (folder / NETWORK).is_file():
            return whole
        train = system.prepare(train, recipe.system_config(), preparation)
        return [(Stage(train, recipe.fit.epochs, 1.0), folder)]
    assert system.stages is not None
    stages = system.stages(train, recipe.system_config(), preparation, recipe.fit.batch)
    folders = [folder / f"stage-{index}" for index in range(len(stages) - 1)]
    return list(zip(stages, [*folders, folder], strict=True))


def table(
    configs: list[Path],
    data: Path,
    runs: Path,
    n_seeds: int,
    report: Callable[[str], None] = print,
) -> str:
    """Runs every recipe with seeds 0 to ``n_seeds`` - 1 and returns a Markdown table, best first.

    Raises:
        TrainingDataError: a recipe or the data are not usable.
    """
    rows = []
    for config in configs:
        results = []
        for seed in range(n_seeds):
            report(f"{config.stem}, seed {seed}")
            results.append(run(config, data, runs / config.stem / f"seed-{seed}", seed, report))
        maps = [result["map"] for result in results]
        first = results[0]
        rows.append((float(np.mean(maps)), float(np.std(maps)), config.stem, results, first))
    columns: tuple[str, ...] = ("network", "mAP", "spread", "held-out mAP", "micro F1", "macro F1")
    columns += ("parameters", "training", "one bag")
    lines = ["| " + " | ".join(columns) + " |", "| --- " * len(columns) + "|"]
    for mean, spread, name, results, first in sorted(rows, key=lambda row: -row[0]):
        f1 = [result["f1_at_calibrated_thresholds"] for result in results]
        micro, macro = (float(np.mean([f[kind] for f in f1])) for kind in ("micro", "macro"))
        held_out = float(np.mean([result["held_out_map"] for result in results]))
        seconds = float(np.mean([result["training_seconds"] for result in results]))
        lines.append(
            f"| {name} | {mean:.4f} | {spread:.4f} | {held_out:.4f} | {micro:.3f} | {macro:.3f} "
            f"| {first['parameters']:,} | {seconds / 60:.1f} min | {first['inference_ms']:.1f} ms |"
        )
    return "\n".join(lines)


def _milliseconds(call: Callable[[], object], repeats: int = 15) -> float:
    """Measures the median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))
