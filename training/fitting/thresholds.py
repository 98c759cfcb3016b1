"""Thresholds per label for the live decision, calibrated on held-out bags (ours)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.metrics import precision_recall_curve

from mmgat.model.labels import LABELS
from mmgat.training.evaluation.metrics import Array

MIN_POSITIVES = 5
STEP = 0.01
LEAST_KEPT = 0.4
"""Of the seconds that a label's threshold names at first: a label that is never named is none."""

FREE = 0.002
"""Raises that cost less than this share of a label's seconds cost nothing."""


class Seconds(NamedTuple):
    """Bags of seconds: truth, scores and weights (0 is unknown), all [n, N, 20]."""

    truth: Array
    scores: Array
    known: Array


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
    thresholds: dict[str, float], silent: Seconds, playing: Seconds, most_events: int
) -> dict[str, float]:
    """Thresholds raised, where that costs least, until few events come of bags where nothing plays.

    An event begins with a second at the threshold: what lasts no longer than a moment is heard in
    two windows live, half a second apart, and two make an event. A raise costs the share of the
    label's own seconds that it leaves unnamed. Each step takes the raise with the most events
    prevented for its cost.

    Args:
        thresholds: label -> where to begin.
        silent: seconds in which no label sounds where it is known.
        playing: seconds in which labels sound.
        most_events: that may remain, of all labels together.
    """
    cuts = np.arange(0, 1, STEP)
    events = np.stack([_begun(silent, cut) for cut in cuts], axis=1)  # [20, cuts]
    named = np.stack([_named(playing, cut) for cut in cuts], axis=1)
    at = np.searchsorted(cuts, np.array([thresholds[label] for label in LABELS]) - 1e-9)
    each = np.arange(len(LABELS))
    allowed = named >= LEAST_KEPT * named[each, at][:, None]
    while events[each, at].sum() > most_events:
        gain = events[each, at][:, None] - events
        cost = named[each, at][:, None] - named
        higher = np.arange(len(cuts)) > at[:, None]
        worth = np.where(higher & allowed, gain / (cost + FREE), 0.0)
        if worth.max() <= 0:
            break
        label, cut = np.unravel_index(worth.argmax(), worth.shape)
        at[label] = cut
    return {
        label: round(max(thresholds[label], float(cuts[index])), 4)
        for label, index in zip(LABELS, at, strict=True)
    }


def _begun(silent: Seconds, cut: float) -> Array:
    """Events of each label, int [20]."""
    at = (silent.scores >= cut) & (silent.known > 0)
    begun = at.copy()
    begun[:, 1:] &= ~at[:, :-1]
    events: Array = begun.sum(axis=(0, 1))
    return events


def _named(playing: Seconds, cut: float) -> Array:
    """Share of each label's seconds that are at the cut, float [20]; 0 where it never sounds."""
    on = (playing.truth >= 0.5) & (playing.known > 0)
    share: Array = (on & (playing.scores >= cut)).sum((0, 1)) / np.maximum(on.sum((0, 1)), 1)
    return share
