"""Targets: exact labels where they are known, and of music the teacher's opinion.

mn04's scores are no probabilities: annotators of AudioSet hardly ever named a bass. One logistic
regression a label on clips with exact labels says what its logits are worth there; but those are
renders and notes, not music, so the labels' offsets go only part of that way (ours).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from mmgat.model.labels import N_LABELS
from mmgat.training.data.published.audioset_names import label_columns, to_labels
from mmgat.training.transfer.features import Arrays

HALF_WAY: Final = 0.5
"""Share of the offsets. Live on 48 clips of real playing, raw 2-s logits with no offsets rank labels
with .751 (LRAP), with whole ones .730, with half .786."""

MIN_POSITIVES: Final = 20
SLOPES: Final = (0.7, 1.2)
MUSIC_HEARD: Final = 0.4
LABEL_HEARD: Final = 0.05

Floats = npt.NDArray[np.floating[Any]]


class Scales(NamedTuple):
    """Log-odds of labels [20] are ``gains * logits + shifts``."""

    gains: npt.NDArray[np.float64]
    shifts: npt.NDArray[np.float64]


class Calibration(NamedTuple):
    """Log-odds of label l are ``coefficients[l] @ logits + offsets[l]``, logits of 10 s and 4 s."""

    coefficients: npt.NDArray[np.float64]
    offsets: npt.NDArray[np.float64]


def teacher_logits(part: Arrays, class_names: list[str]) -> npt.NDArray[np.float32]:
    """The labels' largest logits of ten seconds and of four, float32 [clips, 10, 2, 20]."""
    columns = label_columns(class_names)
    around = to_labels(part["teacher_4s"].astype(np.float32), columns)
    whole = to_labels(part["teacher_10s"].astype(np.float32), columns)
    return np.stack([np.broadcast_to(whole[:, None], around.shape), around], axis=2)


def calibrate(parts: list[Arrays], class_names: list[str]) -> Calibration:
    """Fits the calibration to parts with exact labels, on the fuller view of every clip."""
    logits, labels, known = [], [], []
    for part in parts:
        teacher, present = teacher_logits(part, class_names), part["labels"].sum(axis=(1, 2))
        order = np.argsort(present, kind="stable")
        fullest = dict(zip(part["clip"][order].tolist(), order.tolist(), strict=True))
        for clip, view in fullest.items():
            logits.append(teacher[clip])
            labels.append(part["labels"][view])
            known.append(part["known"][view])
    x, y, is_known = np.stack(logits), np.stack(labels), np.stack(known)
    coefficients = np.full((N_LABELS, 2), 0.5)
    offsets = np.zeros(N_LABELS)
    for label in range(N_LABELS):
        mask = is_known[..., label]
        truth, features = y[..., label][mask], x[..., label][mask]
        if truth.sum() < MIN_POSITIVES or truth.all():
            continue
        found = _regression(features, truth)
        if found[0].min() < 0:  # the two are so alike that one seems to speak against
            best = int(np.argmax(found[0]))
            alone = _regression(features[:, [best]], truth)
            found = np.where(np.arange(2) == best, alone[0][0], 0.0), alone[1]
        coefficients[label], offsets[label] = found
    return Calibration(coefficients, offsets)


def _regression(
    features: Floats, truth: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], float]:
    fitted = LogisticRegression().fit(features, truth)
    return fitted.coef_[0], float(fitted.intercept_[0])


def half_way(logits: Floats, calibration: Calibration) -> Scales:
    """Gains and shifts for the labels' logits [..., 20] of music, of whatever length was heard.

    Offsets go ``HALF_WAY``; then all labels are shifted alike until as many of them sound in a
    second as whole offsets would say.
    """
    slopes = np.maximum(calibration.coefficients.sum(axis=1), 0.05)
    offsets = calibration.offsets / slopes
    wanted = expit(slopes * (logits + offsets)).sum(axis=-1).mean()
    gains = np.clip(slopes, *SLOPES)
    shifts = HALF_WAY * (offsets - np.median(offsets))
    low, high = -10.0, 15.0
    for _ in range(40):
        middle = (low + high) / 2
        too_few = expit(gains * (logits + shifts + middle)).sum(axis=-1).mean() < wanted
        low, high = (middle, high) if too_few else (low, middle)
    return Scales(gains, gains * (shifts + middle))


def music_log_odds(logits: Floats, calibration: Calibration) -> npt.NDArray[np.float64]:
    """Log-odds [clips, 10, 20] of music of which only the teacher speaks.

    Args:
        logits: of ten seconds and of four, [clips, 10, 2, 20].
        calibration: says what the two are worth to each label.
    """
    slopes = np.maximum(calibration.coefficients.sum(axis=1), 0.05)
    both = np.einsum("cnsl,ls->cnl", logits, calibration.coefficients / slopes[:, None])
    scales = half_way(both, calibration)
    return np.asarray(scales.gains * both + scales.shifts)


def targets_and_weights(
    part: Arrays, kind: str, calibration: Calibration, class_names: list[str]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Targets in [0, 1] and their weights, float32 [n, 10, 20], of a kind's views.

    In sounds a label is unknown where the teacher hears it among music.
    """
    labels, known = part["labels"].astype(np.float32), part["known"].astype(np.float32)
    if kind == "music":
        odds = music_log_odds(teacher_logits(part, class_names), calibration)
        return expit(odds)[part["clip"]].astype(np.float32), np.ones_like(known)
    if kind == "sounds":
        music = part["teacher_10s"].astype(np.float32)[:, class_names.index("Music")]
        heard = expit(teacher_logits(part, class_names).max(axis=2)) > LABEL_HEARD
        doubted = heard & (expit(music) > MUSIC_HEARD)[:, None, None]
        known = known * ~doubted[part["clip"]]
    return labels, known
