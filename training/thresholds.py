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


def quiet_on(
    thresholds: dict[str, float], scores: Array, known: Array, highest: float = 0.75
) -> dict[str, float]:
    """Thresholds raised until bags in which nothing plays cause no event, as far as ``highest``.

    An event needs two neighbouring rows at the threshold, as in the live decision.

    Shapes: instance scores and weights [n, N, 20] of such bags; a weight above 0 is known to be
    silent of that label.
    """
    heard = np.where(known > 0, scores, 0.0)
    lasting = np.minimum(heard[:, 1:], heard[:, :-1]).max(axis=(0, 1), initial=0.0)
    return {
        label: round(max(cut, min(float(lasting[index]) + 0.01, highest)), 4)
        for index, (label, cut) in enumerate(thresholds.items())
    }
