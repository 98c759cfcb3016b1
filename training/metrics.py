"""Figures over known labels only: what nobody knows is neither right nor wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from model.labels import LABELS

Array = npt.NDArray[Any]


def average_precisions(truth: Array, scores: Array, known: Array) -> dict[str, float]:
    """label -> average precision over its known entries, for labels with known positives.

    Shapes: all [..., 20]; a truth of at least 0.5 is a positive, a weight above 0 is known.
    """
    found = {}
    for index, label in enumerate(LABELS):
        chosen = known[..., index] > 0
        positive = truth[..., index][chosen] >= 0.5
        if positive.any():
            found[label] = float(average_precision_score(positive, scores[..., index][chosen]))
    return found


def mean_average_precision(truth: Array, scores: Array, known: Array) -> float:
    """Mean of ``average_precisions`` over the labels that have positives; NaN without any."""
    values = list(average_precisions(truth, scores, known).values())
    return float(np.mean(values)) if values else float("nan")
