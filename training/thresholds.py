"""Thresholds per label for the live decision, calibrated on held-out bags (ours)."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import precision_recall_curve

from model.labels import LABELS
from training.metrics import Array

MIN_POSITIVES = 5


def calibrate(
    truth: Array, scores: Array, known: Array, lowest: float = 0.1, highest: float = 0.6
) -> dict[str, float]:
    """label -> the score that maximises F1 over known entries, kept within limits.

    Held-out mixtures are not the world: without limits, a label that is easy there would fire at
    nothing elsewhere, and one that is scored boldly there would stay silent. A label with fewer
    than 5 known positives gets the median of the others.

    Shapes: all [..., 20]; a truth of at least 0.5 is a positive, a weight above 0 is known.

    Raises:
        ValueError: no label has enough positives.
    """
    found: dict[str, float] = {}
    for index, label in enumerate(LABELS):
        chosen = known[..., index] > 0
        positive = truth[..., index][chosen] >= 0.5
        if positive.sum() < MIN_POSITIVES:
            continue
        precision, recall, cuts = precision_recall_curve(positive, scores[..., index][chosen])
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
        found[label] = float(cuts[np.argmax(f1[:-1])])
    if not found:
        raise ValueError(f"expected {MIN_POSITIVES} known positives of some label, found fewer")
    usual = float(np.median(list(found.values())))
    return {label: round(min(max(found.get(label, usual), lowest), highest), 4) for label in LABELS}
