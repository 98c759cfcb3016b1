"""Runs: one recipe fitted with one seed, measured on the evaluation rows, kept in a folder."""

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

from mmgat.training.comparators.classical import CLASSICAL, PerLabel
from mmgat.training.data.bags import RowSet
from mmgat.training.data.registry import evaluation_bags, training_bags
from mmgat.training.evaluation.evaluate import report as figures_of
from mmgat.training.evaluation.metrics import mean_average_precision
from mmgat.training.fitting.ensemble import Teachers, opinion, teaching_runs
from mmgat.training.fitting.fit import Array, fit, predict
from mmgat.training.fitting.losses import Targets
from mmgat.training.fitting.recipe import Recipe, read_recipe
from mmgat.training.fitting.run_folder import FIRST, RESULT, claim, load_run, thresholds_of
from mmgat.training.fitting.thresholds import calibrate


def run(
    config: Path,
    data: Path,
    folder: Path,
    seed: int | None = None,
    report: Callable[[str], None] = print,
    devices: int | Literal["auto"] = "auto",
) -> dict[str, Any]:
    """Fits a recipe and writes ``folder``/result.json and, beside it, the network.

    With ``refit`` thresholds are those of a first network, in ``folder``/first, that was not fitted
    to the held-out clips; what is kept and measured is the second, fitted to all. Who has teachers
    has no first network of its own: theirs give the thresholds.

    A run that was stopped goes on; one that is done is only read.

    Args:
        config: the recipe; its name names the run.
        data: the local data folder.
        seed: in place of the recipe's.
        devices: as ``fit`` takes them.

    Raises:
        TrainingDataError: the recipe or the data are not usable, or the folder holds another run.
    """
    recipe = read_recipe(config)
    if seed is not None:
        recipe = msgspec.structs.replace(recipe, fit=msgspec.structs.replace(recipe.fit, seed=seed))
    description = {"recipe": config.stem, **json.loads(msgspec.json.encode(recipe))}
    claim(folder, description)
    result_path = folder / RESULT
    if result_path.is_file():
        done: dict[str, Any] = json.loads(result_path.read_text("utf-8"))
        return done
    train, held_out = training_bags(recipe, data)
    evaluation = evaluation_bags(recipe, data)
    start = time.perf_counter()
    targets: Callable[[RowSet], Targets] = RowSet.targets
    if recipe.teachers:
        teachers = teaching_runs(folder.parent.parent / recipe.teachers)
        targets = Teachers([load_run(path).network for path in teachers], recipe.trust)
        calibration = opinion(teachers, held_out)
    else:
        first = folder / FIRST if recipe.refit else folder
        fitted = _fitted(recipe, train, held_out, first, report, devices)
        calibration = fitted.predict(held_out)
    if recipe.refit:
        report("of all training clips")
        fitted = _fitted(recipe, train.join(held_out), None, folder, report, devices, targets)
    thresholds = calibrate(held_out.bag.numpy(), calibration, held_out.bag_weight.numpy())
    if torch.distributed.is_initialized() and torch.distributed.get_rank():
        raise SystemExit  # the first of several processes goes on alone
    seconds = time.perf_counter() - start
    scores = fitted.predict(evaluation)
    found = figures_of(
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
            held_out.bag.numpy(), calibration, held_out.bag_weight.numpy()
        ),
        "thresholds": thresholds,
        "tags": train.tags.shape[1],
        "parameters": fitted.n_parameters,
        "training_seconds": round(seconds),
        "inference_ms": round(_milliseconds(partial(fitted.predict, one_bag)), 3),
        "evaluation_clips": len(evaluation),
    }
    result_path.write_text(json.dumps(result, indent=1) + "\n")
    return result


@dataclass(frozen=True)
class _Fitted:
    """What was fitted; it gives scores [n, 20] of bags."""

    n_parameters: int
    predict: Callable[[RowSet], Array]


def _fitted(
    recipe: Recipe,
    train: RowSet,
    held_out: RowSet | None,
    folder: Path,
    report: Callable[[str], None],
    devices: int | Literal["auto"],
    targets: Callable[[RowSet], Targets] = RowSet.targets,
) -> _Fitted:
    """The recipe's network or classifier; the folder keeps a network."""
    if recipe.network in CLASSICAL:
        classifier = PerLabel(recipe.network, recipe.fit.seed).fit(train)
        return _Fitted(classifier.n_parameters, classifier.predict)
    network = recipe.build(train.tags.shape[1])
    criterion = recipe.criterion(network)
    fit(network, criterion, train, held_out, recipe.fit, folder, report, devices, targets)
    n_parameters = sum(p.numel() for p in network.parameters())
    return _Fitted(n_parameters, lambda rows: predict(network, rows)[0])


def table(
    configs: list[Path],
    data: Path,
    runs: Path,
    n_seeds: int,
    report: Callable[[str], None] = print,
) -> str:
    """Every recipe with seeds 0 to ``n_seeds`` - 1, as a Markdown table, best first."""
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
    """Median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))
