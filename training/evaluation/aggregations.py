"""The two aggregations of ConvNet (Han): a clip's scores from those of its windows.

S1 is the mean. S2 is the sum, divided by the clip's largest, so that it always names an instrument.
Each has one threshold for all labels, as Han et al. have it, here the best on held-out clips.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from mmgat.training.comparators.systems.han_convnet import summed_scores
from mmgat.training.data.bags import Bags
from mmgat.training.data.yard_store import Yard
from mmgat.training.fitting.fit import predict
from mmgat.training.fitting.run_folder import load_run
from mmgat.training.metrics import Array, f1_scores

AGGREGATIONS: Final = "aggregations.json"
THRESHOLDS: Final = np.arange(0.02, 1.0, 0.02)
PARTS: Final = ("evaluation", "phrases")


def mean_scores(windows: Array, mask: Array) -> Array:
    """S1: windows [n, N, L], mask bool [n, N] -> [n, L]."""
    real = mask[..., None]
    found: Array = (windows * real).sum(axis=1) / real.sum(axis=1)
    return found


def relative_scores(windows: Array, mask: Array) -> Array:
    """S2: windows [n, N, L], mask bool [n, N] -> [n, L], the largest of each clip 1."""
    return summed_scores(windows * mask[..., None])


RULES: Final[dict[str, Callable[[Array, Array], Array]]] = {
    "S1, mean": mean_scores,
    "S2, sum over the largest": relative_scores,
}


def aggregations(folder: Path, yard: Path) -> dict[str, dict[str, Any]]:
    """Measures a finished run of a window network with both rules; what is done is only read.

    Args:
        folder: of the run.
        yard: folder of the yard.

    Returns:
        rule -> its ``threshold``, and micro and macro F1 of each part.

    Raises:
        TrainingDataError: there is no such run.
    """
    path = folder / AGGREGATIONS
    if path.is_file():
        done: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8"))
        return done
    run, store = load_run(folder), Yard(yard)
    heard = {}
    for part in ("held-out", *PARTS):
        bags = store.bags(part, run.recipe.embeddings)
        _, windows = predict(run.network, bags, batch=32)
        assert windows is not None
        heard[part] = bags, windows
    found = {}
    for name, rule in RULES.items():
        scores = {
            part: rule(windows, bags.mask().numpy()) for part, (bags, windows) in heard.items()
        }
        best = max(
            THRESHOLDS, key=lambda t: _f1(heard["held-out"][0], scores["held-out"], float(t))["micro"]
        )  # fmt: skip
        found[name] = {"threshold": round(float(best), 2)} | {
            part: _f1(heard[part][0], scores[part], float(best)) for part in PARTS
        }
    path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return found


def _f1(bags: Bags, scores: Array, threshold: float) -> dict[str, float]:
    decided = np.asarray(scores >= threshold)
    f1 = f1_scores(bags.bag.numpy(), decided, bags.bag_weight.numpy())
    return {"micro": f1["micro"], "macro": f1["macro"]}
