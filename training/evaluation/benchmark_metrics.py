"""The metrics that publications on IRMAS report."""

from __future__ import annotations

from typing import Literal

from sklearn.metrics import f1_score, label_ranking_average_precision_score

from mmgat.training.metrics import Array


def irmas_clip_scores(windows: Array, how: Literal["sum", "mean"] = "sum") -> Array:
    """Computes scores [L] of a clip from those of its windows [n, L].

    ``sum``: summed and divided by the clip's largest (Han et al. 2017); ``mean``: averaged.
    """
    if how == "mean":
        mean: Array = windows.mean(axis=0)
        return mean
    total = windows.sum(axis=0)
    scaled: Array = total / max(float(total.max()), 1e-12)
    return scaled


def irmas_scores(truth: Array, scores: Array, threshold: float) -> dict[str, float]:
    """Computes micro and macro F1 at one global threshold, and LRAP.

    IRMAS's convention: a label that is not annotated is absent. With the two guitars merged there
    are ten labels, so figures are not those of eleven. Shapes: [n, 10].
    """
    decided = scores >= threshold
    return {
        "micro_f1": float(f1_score(truth, decided, average="micro", zero_division=0.0)),
        "macro_f1": float(f1_score(truth, decided, average="macro", zero_division=0.0)),
        "lrap": float(label_ranking_average_precision_score(truth, scores)),
    }
