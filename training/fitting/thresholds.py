"""Thresholds per label for the live decision, calibrated on held-out bags (ours)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.metrics import precision_recall_curve

from mmgat.model.labels import LABELS
from mmgat.training.metrics import Array

MIN_POSITIVES = 5
STEP = 0.01
MIN_RECALL_KEPT = 0.4
"""Share of the recall at the initial threshold that every label keeps."""

FREE_RECALL = 0.002
"""A loss of recall below this is neglected."""


class Seconds(NamedTuple):
    """Bags of seconds: truth, scores and weights (0 is unknown), all [n, N, 20]."""

    truth: Array
    scores: Array
    known: Array


def calibrate(
    truth: Array, scores: Array, known: Array, lowest: float = 0.1, highest: float = 0.6
) -> dict[str, float]:
    """Finds label -> the threshold that maximises F1 over known entries, kept within limits.

    Held-out mixtures are easier than real music. Without limits a label that is easy there would give
    false events elsewhere, and one with high scores there would never be reported. A label with fewer
    than 5 known positives gets the median of the others.

    Shapes: all [..., 20]. A truth of at least 0.5 is a positive; a weight above 0 means known.

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


def raise_for_false_alarms(
    thresholds: dict[str, float], silent: Seconds, playing: Seconds, most_events: int
) -> dict[str, float]:
    """Raises thresholds, where this costs least recall, until few false alarms are left.

    A false alarm begins with one second at the threshold: live, even a short sound is in two windows,
    half a second apart, and two windows make an event. The cost of a raise is the recall that the
    label loses. Each step takes the raise that prevents the most false alarms for its cost.

    Args:
        thresholds: label -> initial threshold.
        silent: seconds in which no known label sounds.
        playing: seconds in which labels sound.
        most_events: number of false alarms that may remain, of all labels together.
    """
    cuts = np.arange(0, 1, STEP)
    events = np.stack([_false_alarms(silent, cut) for cut in cuts], axis=1)  # [20, cuts]
    recall = np.stack([_recall(playing, cut) for cut in cuts], axis=1)
    at = np.searchsorted(cuts, np.array([thresholds[label] for label in LABELS]) - 1e-9)
    each = np.arange(len(LABELS))
    allowed = recall >= MIN_RECALL_KEPT * recall[each, at][:, None]
    while events[each, at].sum() > most_events:
        gain = events[each, at][:, None] - events
        cost = recall[each, at][:, None] - recall
        higher = np.arange(len(cuts)) > at[:, None]
        benefit = np.where(higher & allowed, gain / (cost + FREE_RECALL), 0.0)
        if benefit.max() <= 0:
            break
        label, cut = np.unravel_index(benefit.argmax(), benefit.shape)
        at[label] = cut
    return {
        label: round(max(thresholds[label], float(cuts[index])), 4)
        for label, index in zip(LABELS, at, strict=True)
    }


def _false_alarms(silent: Seconds, cut: float) -> Array:
    """Counts the events of each label at a threshold, int [20]."""
    at = (silent.scores >= cut) & (silent.known > 0)
    begun = at.copy()
    begun[:, 1:] &= ~at[:, :-1]
    events: Array = begun.sum(axis=(0, 1))
    return events


def _recall(playing: Seconds, cut: float) -> Array:
    """Computes each label's recall at a threshold, float [20]; 0 if it never sounds."""
    on = (playing.truth >= 0.5) & (playing.known > 0)
    share: Array = (on & (playing.scores >= cut)).sum((0, 1)) / np.maximum(on.sum((0, 1)), 1)
    return share
