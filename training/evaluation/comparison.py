"""One system on the yard: scores on mixtures and on real playing, with noise, by label and family."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from mmgat.model.labels import FAMILIES, LABELS
from mmgat.training.comparators.registry import SYSTEMS
from mmgat.training.comparators.systems.bosch_svm import DEGREE, SVMConfig
from mmgat.training.comparators.systems.staged_convnet import StagedConfig
from mmgat.training.data.bags import Bags
from mmgat.training.data.yard_store import Yard
from mmgat.training.errors import TrainingDataError
from mmgat.training.evaluation.robustness import with_noise
from mmgat.training.features.registry import FeatureKind, feature_kind
from mmgat.training.fitting.fit import predict
from mmgat.training.fitting.recipe import Recipe, read_recipe
from mmgat.training.fitting.run_folder import load_run, thresholds_of
from mmgat.training.fitting.runs import run
from mmgat.training.metrics import Array, average_precisions, f1_scores, mean_average_precision

PARTS: Final = ("evaluation", "phrases")
NOISE: Final = (0.1, 0.2)
RESAMPLES: Final = 200
"""Bootstrap samples of the clips, for 95 % intervals."""

COMPARISON: Final = "comparison.json"


def compare(config: Path, yard: Path, runs: Path, report: Callable[[str], None]) -> dict[str, Any]:
    """Fits a recipe, or reads its finished run, and evaluates it; a done evaluation is only read.

    Args:
        config: the recipe.
        yard: folder of the yard.
        runs: folder of the runs.
        report: takes a line now and then.

    Raises:
        TrainingDataError: the recipe or the yard are not usable.
    """
    folder = runs / config.stem / "seed-0"
    result = run(config, yard, folder, 0, report)
    path = folder / COMPARISON
    recipe = read_recipe(config)
    if path.is_file():
        done: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return done | _told(recipe, result)
    if recipe.data != "yard":
        raise TrainingDataError(f'{config}: expected data = "yard", found {recipe.data!r}')
    kind, store = feature_kind(recipe.embeddings), Yard(yard)
    predictor = predictor_of(folder)
    thresholds = thresholds_of(result)
    clip = store.audio("evaluation", 0)
    one = store.bags("phrases", kind.name).select(torch.tensor([0]))
    found: dict[str, Any] = {
        "name": config.stem,
        "network": recipe.network,
        "features": kind.name,
        "parameters": result["parameters"],
        "training_s": result["training_seconds"],
        "network_ms": _processor_ms(lambda: predictor(one)),
        "features_ms": _processor_ms(lambda: kind.compute(clip)),
        "gflop": _gflop(recipe, folder, store, kind),
        "training_clips": len(store.labels("train")["seconds"]),
    }
    for part in PARTS:
        bags = store.bags(part, kind.name)
        found[part] = measured(bags, predictor(bags), thresholds)
        for share in NOISE:
            noisy = with_noise(bags, _noise_window(kind, store), share)
            scores = predictor(noisy)
            found[part][f"noise_{share}"] = _short(bags, scores, thresholds)
    path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return found | _told(recipe, result)


def _told(recipe: Recipe, result: dict[str, Any]) -> dict[str, Any]:
    """What a table tells besides, of the recipe and of the run."""
    return {
        "settings": settings_of(recipe),
        "processor_s": result.get(
            "processor_seconds"
        ),  # a run from before it was measured has none
    }


def settings_of(recipe: Recipe) -> str:
    """Hyper-parameters of a training, in words."""
    fit, system = recipe.fit, recipe.comparator_system()
    config = recipe.system_config() if system else None
    if isinstance(config, SVMConfig):
        drawn = "whole clips" if config.shape == SVMConfig().shape else f"{config.windows} s a clip"
        return f"degree {DEGREE}, C 1, balanced, {drawn}"
    epochs = str(fit.epochs)
    if isinstance(config, StagedConfig):
        epochs = " + ".join(map(str, config.epochs))
    windows = f" x {fit.longest} windows" if fit.crop == 1 and fit.longest else ""
    return f"{epochs} epochs, batch {fit.batch}{windows}, rate {fit.learning_rate:g}"


def compare_seeds(
    config: Path, yard: Path, runs: Path, n_seeds: int, report: Callable[[str], None]
) -> None:
    """Fits a recipe with seeds 1 to ``n_seeds`` - 1 too and evaluates each; done ones are only read.

    Args:
        config, yard, runs, report: as for ``compare``.
        n_seeds: in all.

    Raises:
        TrainingDataError: the recipe or the yard are not usable.
    """
    recipe, store = read_recipe(config), Yard(yard)
    for seed in range(1, n_seeds):
        folder = runs / config.stem / f"seed-{seed}"
        result = run(config, yard, folder, seed, report)
        path = folder / COMPARISON
        if not path.is_file():
            predictor, thresholds = predictor_of(folder), thresholds_of(result)
            found = {}
            for part in PARTS:
                bags = store.bags(part, recipe.embeddings)
                found[part] = _short(bags, predictor(bags), thresholds)
            path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def chance(yard: Path) -> dict[str, float]:
    """Computes the mean average precision of scores by chance on each part, of 50 draws."""
    rng, found = np.random.default_rng(0), {}
    for part in PARTS:
        about = Yard(yard).labels(part)
        truth, known = about["bag"], about["bag_weight"]
        draws = (rng.random(truth.shape).astype(np.float32) for _ in range(50))
        found[part] = float(np.mean([mean_average_precision(truth, s, known) for s in draws]))
    return found


def seeds_of(name: str, runs: Path) -> list[dict[str, Any]]:
    """Reads the evaluations of all seeds of a recipe that are done."""
    found = sorted((runs / name).glob(f"seed-*/{COMPARISON}"))
    return [json.loads(path.read_text("utf-8")) for path in found]


def predictor_of(folder: Path) -> Callable[[Bags], Array]:
    """Returns bags -> scores [n, 20] of a finished run."""
    network = load_run(folder).network
    return lambda bags: predict(network, bags, batch=32)[0]


def _short(bags: Bags, scores: Array, thresholds: Array) -> dict[str, float]:
    truth, known = bags.bag.numpy(), bags.bag_weight.numpy()
    f1 = f1_scores(truth, np.asarray(scores >= thresholds), known)
    return {
        "map": mean_average_precision(truth, scores, known),
        "micro": f1["micro"],
        "macro": f1["macro"],
    }


def measured(bags: Bags, scores: Array, thresholds: Array) -> dict[str, Any]:
    """All figures of scores [n, 20] of bags, mAP and micro F1 with 95 % intervals over clips."""
    truth, known = bags.bag.numpy(), bags.bag_weight.numpy()
    found: dict[str, Any] = _short(bags, scores, thresholds)
    found["lrap"] = ranking_precision(truth, scores, known)
    found["clips"] = len(bags)
    found["per_label"] = average_precisions(truth, scores, known)
    found["per_family"] = family_precisions(truth, scores, known)
    rng = np.random.default_rng(0)
    decided = scores >= thresholds
    samples = []
    for _ in range(RESAMPLES):
        index = rng.integers(0, len(truth), len(truth))
        on, is_known = truth[index] >= 0.5, known[index] > 0
        samples.append(
            {
                "map": _quick_map(on, scores[index], is_known),
                "micro": _quick_micro(on, decided[index], is_known),
            }
        )
    for name in ("map", "micro"):
        values = [sample[name] for sample in samples]
        found[f"{name}_interval"] = [round(float(v), 4) for v in np.percentile(values, (2.5, 97.5))]
    return found


def _quick_map(on: Array, scores: Array, known: Array) -> float:
    """``mean_average_precision`` in numpy, for hundreds of samples; ties are in order of place."""
    found = []
    for label in range(on.shape[1]):
        chosen = known[:, label]
        order = np.argsort(-scores[chosen, label], kind="stable")
        hits = on[chosen, label][order]
        if hits.any():
            found.append(float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean()))
    return float(np.mean(found)) if found else float("nan")


def _quick_micro(on: Array, decided: Array, known: Array) -> float:
    """Micro F1 in numpy, over known entries of labels with known positives."""
    counted = known & (on & known).any(axis=0)
    right = (on & decided & counted).sum()
    return float(2 * right / max(1, (on & counted).sum() + (decided & counted).sum()))


def ranking_precision(truth: Array, scores: Array, known: Array) -> float:
    """Label ranking average precision of clips with a label; unknown labels are ranked last."""
    chosen = ((truth >= 0.5) & (known > 0)).any(axis=1)
    on = ((truth >= 0.5) & (known > 0))[chosen]
    ranked = np.where(known > 0, scores, -1.0)[chosen]
    return float(label_ranking_average_precision_score(on, ranked))


def family_precisions(truth: Array, scores: Array, known: Array) -> dict[str, float]:
    """Average precision of families: on if a member is, off if all are known to be; highest score."""
    found = {}
    for family, members in FAMILIES.items():
        columns = [LABELS.index(label) for label in members]
        is_known = known[:, columns] > 0
        on = np.asarray(((truth[:, columns] >= 0.5) & is_known).any(axis=1))
        chosen = on | is_known.all(axis=1)
        if on.any():
            highest = scores[:, columns].max(axis=1)
            found[family] = float(average_precision_score(on[chosen], highest[chosen]))
    return found


def _noise_window(kind: FeatureKind, store: Yard) -> Tensor:
    """What white noise adds to a window, [D].

    As in the paper the vector is normalised: its distance from the mean window of training is that
    of a usual window.
    """
    rng = np.random.default_rng(0)
    noise = (0.05 * rng.standard_normal((2, 160_000))).astype(np.float32)
    bags = store.bags("held-out", kind.name)
    windows = bags.embeddings[bags.mask()].float()
    mean = windows.mean(0)
    if kind.standardised:
        heard = store.features("train", kind).astype(np.float32)
        raw = (kind.compute(noise) - heard.mean((0, 1))) / (heard.std((0, 1)) + 1e-6)
        noisy = torch.from_numpy(raw).mean(0)
    else:
        noisy = torch.from_numpy(kind.compute(noise)).float().mean(0)
    direction = noisy - mean
    usual = (windows - mean).norm(dim=1).mean()
    added: Tensor = direction * usual / direction.norm().clamp(min=1e-6)
    return added


def _processor_ms(call: Callable[[], object]) -> float:
    """Measures the least processor time of five calls, in ms; other programs do not count."""
    call()
    times = []
    for _ in range(5):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return round(1000 * min(times), 2)


def _gflop(recipe: Recipe, folder: Path, store: Yard, kind: FeatureKind) -> float | None:
    """Arithmetic of the network for ten seconds, in GFLOP; None for what has no epochs either."""
    if SYSTEMS.get(recipe.network) and SYSTEMS[recipe.network].classical:
        return None
    network = load_run(folder).network
    one = store.bags("phrases", kind.name).select(torch.tensor([0]))
    one = replace(one, lengths=torch.full((1,), one.embeddings.shape[1]))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(one.embeddings, one.mask())
    return float(round(counter.get_total_flops() / 1e9, 4))
