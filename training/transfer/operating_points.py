"""Thresholds of low, normal and high sensitivity, from held-out material (ours).

A label's threshold is mostly the highest that is as good as the best for the F of all labels
together, and a little that of its own: held-out pieces and notes say little of how often an
instrument plays in the world. It is then raised where held-out sounds and noise cause events, as far
as a cap.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.special import expit

from mmgat.model.card import OperatingPoint, Sensitivity
from mmgat.model.labels import LABELS, N_LABELS
from mmgat.training.transfer.audio.parts import N_NODES

Floats = npt.NDArray[np.floating[Any]]

GRID: Final = np.arange(0.1, 0.96, 0.02)
COMMON: Final = 0.8
"""Weight of the threshold that all labels share, beside a label's own best."""

AS_GOOD: Final = 0.99
"""A share of the best F that is as good: near its best F hardly changes, and false events do."""

HIGHEST: Final = 1.0
LOWEST: Final = 0.15
MOST_RAISED: Final = 5 / 3
"""No label is raised beyond so many times the threshold that all share."""

LIVE_SHARE: Final = 2 / 3
"""Live windows come twice as often as nodes here, so fewer events an hour are allowed."""

KIND_WEIGHTS: Final = {"music": 0.45, "pieces": 0.3, "notes": 0.25}


class Aim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operating point is for.

    Attributes:
        beta: of the F score: below 1 precision counts more.
        events_an_hour: that held-out sounds may cause.
    """

    beta: float
    events_an_hour: float


AIMS: Final[dict[Sensitivity, Aim]] = {
    "low": Aim(0.4, 0.5),
    "normal": Aim(0.7, 2.0),
    "high": Aim(1.0, 8.0),
}


class Material(NamedTuple):
    """Scores of held-out windows, two nodes together, in [0, 1].

    Attributes:
        scores, truth, weights: [n, 20], of windows in which something plays.
        sounds, noise: [clips, 20], the largest score in each clip in which nothing plays.
    """

    scores: Floats
    truth: Floats
    weights: Floats
    sounds: Floats
    noise: Floats


def material(
    log_odds: dict[str, Floats], targets: dict[str, Floats], weights: dict[str, Floats]
) -> Material:
    """Material from what is said of held-out clips of all kinds, all [n, 10, 20]."""

    def pairs(values: Floats) -> npt.NDArray[np.float64]:
        return np.asarray((values[:, 1:] + values[:, :-1]) / 2, np.float64)

    playing = []
    for kind, share in KIND_WEIGHTS.items():
        known = weights[kind][:, 1:]
        each = known * (share / max(1, known[..., 0].size))
        parts = (expit(pairs(log_odds[kind])), targets[kind][:, 1:], each)
        playing.append([part.reshape(-1, N_LABELS) for part in parts])
    scores, truth, weight = (np.concatenate(parts) for parts in zip(*playing, strict=True))
    silent = []
    for kind in ("sounds", "noise"):
        is_known = weights[kind][:, 1:] > 0
        silent.append(np.where(is_known, expit(pairs(log_odds[kind])), 0.0).max(axis=1))
    return Material(scores, truth, weight, silent[0], silent[1])


def f_score(found: Material, label: int, threshold: float, beta: float) -> float:
    """F of one label at a threshold, by the windows' weights."""
    active, weights = found.scores[:, label] >= threshold, found.weights[:, label]
    truth = found.truth[:, label]
    right = float((weights * active * truth).sum())
    wrong = float((weights * active * (1 - truth)).sum())
    missed = float((weights * ~active * truth).sum())
    square = beta**2
    return (1 + square) * right / max(1e-12, (1 + square) * right + square * missed + wrong)


def thresholds_for(found: Material, aim: Aim) -> npt.NDArray[np.float64]:
    """Thresholds [20] for an aim."""
    scores = np.array(
        [[f_score(found, label, t, aim.beta) for t in GRID] for label in range(N_LABELS)]
    )
    mean = scores.mean(axis=0)
    own, common = GRID[scores.argmax(axis=1)], GRID[mean >= AS_GOOD * mean.max()].max()
    shared = np.maximum(own, LOWEST) ** (1 - COMMON) * max(common, LOWEST) ** COMMON
    cap = min(HIGHEST, MOST_RAISED * common)
    thresholds = np.minimum(shared, cap)
    for silent, an_hour in ((found.noise, 0.0), (found.sounds, aim.events_an_hour)):
        hours = len(silent) * N_NODES / 3600
        while (silent >= thresholds).sum() > an_hour * hours * LIVE_SHARE:
            raised = _raise_one(found, silent, thresholds, aim.beta, cap)
            if raised is None:
                break
            thresholds[raised[0]] = raised[1]
    return np.asarray(np.round(thresholds, 3))


def _raise_one(
    found: Material, silent: Floats, thresholds: Floats, beta: float, cap: float
) -> tuple[int, float] | None:
    """The label, and its next threshold, that avoids an event at least cost."""
    best: tuple[float, int, float] | None = None
    for label in np.flatnonzero((silent >= thresholds).any(axis=0)).tolist():
        events = np.sort(silent[:, label][silent[:, label] >= thresholds[label]])
        raised = min(cap, float(events[0]) + 0.01)
        avoided = len(events) - int((events >= raised).sum())
        if raised <= thresholds[label] or not avoided:
            continue
        before = f_score(found, label, float(thresholds[label]), beta)
        cost = max(0.0, before - f_score(found, label, raised, beta)) + 1e-4
        if best is None or avoided / cost > best[0]:
            best = avoided / cost, label, raised
    return best[1:] if best else None


def operating_points(found: Material) -> dict[Sensitivity, OperatingPoint]:
    """The operating points of a card, with precision, recall and false events an hour."""
    points: dict[Sensitivity, OperatingPoint] = {}
    hours = len(found.sounds) * N_NODES / 3600
    for sensitivity, aim in AIMS.items():
        thresholds = thresholds_for(found, aim)
        active = found.scores >= thresholds
        right = float((found.weights * active * found.truth).sum())
        named, there = (float((found.weights * values).sum()) for values in (active, found.truth))
        figures = {
            "precision": round(right / max(named, 1e-12), 3),
            "recall": round(right / max(there, 1e-12), 3),
            "events_an_hour": round(float((found.sounds >= thresholds).sum()) / hours, 2),
        }
        points[sensitivity] = OperatingPoint(
            thresholds=dict(zip(LABELS, thresholds.tolist(), strict=True)),
            figures=figures,
            on="held-out music (as its teacher hears it), pieces, notes and sounds",
        )
    return points
