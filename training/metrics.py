"""Metrics over known labels only: an unknown label is neither right nor wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, f1_score

from mmgat.model.labels import LABELS

Array = npt.NDArray[Any]


def average_precisions(truth: Array, scores: Array, known: Array) -> dict[str, float]:
    """Computes label -> average precision over known entries, for labels with known positives.

    Shapes: all [..., 20]. A truth of at least 0.5 is a positive; a weight above 0 means known.
    """
    found = {}
    for index, label in enumerate(LABELS):
        chosen = known[..., index] > 0
        positive = truth[..., index][chosen] >= 0.5
        if positive.any():
            found[label] = float(average_precision_score(positive, scores[..., index][chosen]))
    return found


def mean_average_precision(truth: Array, scores: Array, known: Array) -> float:
    """Computes the mean of ``average_precisions`` over labels; NaN if no label has positives."""
    values = list(average_precisions(truth, scores, known).values())
    return float(np.mean(values)) if values else float("nan")


def f1_scores(truth: Array, decisions: Array, known: Array) -> dict[str, float]:
    """Computes F1 of decisions over known entries, by kind.

    ``micro``: positives of all labels together; ``macro``: mean over labels of the positives' F1;
    ``macro_both``: mean over labels of the mean of positives' and negatives' F1, as in the line of
    Gururani et al. on OpenMIC. Labels without known positives count nowhere.

    Shapes: all [n, 20].
    """
    per_label, both, all_truth, all_decisions = [], [], [], []
    for index in range(len(LABELS)):
        chosen = known[:, index] > 0
        positive, decided = truth[chosen, index] >= 0.5, decisions[chosen, index]
        if not positive.any():
            continue
        per_label.append(f1_score(positive, decided, zero_division=0.0))
        both.append(f1_score(positive, decided, average="macro", zero_division=0.0))
        all_truth.append(positive)
        all_decisions.append(decided)
    if not per_label:
        return dict.fromkeys(("micro", "macro", "macro_both"), float("nan"))
    micro = f1_score(np.concatenate(all_truth), np.concatenate(all_decisions), zero_division=0.0)
    return {
        "micro": float(micro),
        "macro": float(np.mean(per_label)),
        "macro_both": float(np.mean(both)),
    }


def report_of(truth: Array, scores: Array, known: Array, thresholds: Array) -> dict[str, Any]:
    """Computes all metrics of bag scores; arrays [n, 20], thresholds [20].

    ``map`` is the mean of ``per_label``'s average precisions, None without any. Every F1 names its
    kind, see ``f1_scores``.
    """
    per_label = average_precisions(truth, scores, known)
    return {
        "map": float(np.mean(list(per_label.values()))) if per_label else None,
        "per_label": per_label,
        "f1_at_0.5": f1_scores(truth, np.asarray(scores >= 0.5), known),
        "f1_at_calibrated_thresholds": f1_scores(truth, np.asarray(scores >= thresholds), known),
    }
