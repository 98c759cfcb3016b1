"""Clips with exact labels for every second, as sums of parts (ours).

The sound of each part is known, so its label is measured in every second: present above -30 dB of the
clip's loudest second, absent below -45 dB, unknown between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mmgat.model.labels import INDEX, N_LABELS
from mmgat.training.synthesis.arrangement import CLIP_S, CLIP_SAMPLES
from mmgat.training.synthesis.packages import RATE_HZ

PRESENT_DB: Final = -30.0
ABSENT_DB: Final = -45.0
COVERED_DB: Final = -22.0
"""A part this far below the mixture of its second is not present there."""

FLOOR: Final = 1e-12


class Part(NamedTuple):
    """One part of a clip.

    Attributes:
        audio: float32 [320000].
        label: that the part has, if any.
        ambiguous: labels that are unknown while it sounds.
        source: of its recordings, if it has any.
    """

    audio: npt.NDArray[np.float32]
    label: str | None
    ambiguous: frozenset[str] = frozenset()
    source: str = ""


class Clip(NamedTuple):
    """A clip with exact labels.

    Attributes:
        audio: float32 [320000] at 32 kHz.
        labels, known: bool [10, 20], and whether they are known.
        kind: of what it is made, such as ``clip_kinds.KINDS``.
        sources: of the recordings in it.
    """

    audio: npt.NDArray[np.float32]
    labels: npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_]
    kind: str
    sources: frozenset[str] = frozenset()


def second_levels(audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Computes the mean power of every second in dB, float64 [10]; digital silence is -120 dB."""
    power = (audio[:CLIP_SAMPLES].reshape(CLIP_S, RATE_HZ).astype(np.float64) ** 2).mean(axis=1)
    return np.asarray(10 * np.log10(np.maximum(power, FLOOR)))


def labels_by_level(
    total: npt.NDArray[np.float64],
    parts: Sequence[tuple[npt.NDArray[np.float64], str | None, frozenset[str]]],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Labels of every second, and whether they are known, from how loud each part is in it.

    Args:
        total: levels of the mixture in dB, [seconds].
        parts: levels [seconds], label, and labels that the part leaves unknown.

    Returns:
        Both bool [seconds, 20]; what is present is known.
    """
    labels = np.zeros((len(total), N_LABELS), bool)
    known = np.ones_like(labels)
    for level, label, ambiguous in parts:
        heard = (level > total.max() + PRESENT_DB) & (level > total + COVERED_DB) & (level > -90)
        absent = level < min(total.max() + ABSENT_DB, -50)
        if label:
            labels[heard, INDEX[label]] = True
            known[~heard & ~absent, INDEX[label]] = False
        for unsure in ambiguous:
            known[~absent, INDEX[unsure]] = False
    return labels, known | labels


def mix(parts: Sequence[Part], kind: str) -> Clip:
    """Adds up parts and finds the labels of every second."""
    audio = np.zeros(CLIP_SAMPLES, np.float32)
    for part in parts:
        audio += part.audio
    labels, known = labels_by_level(
        second_levels(audio), [(second_levels(p.audio), p.label, p.ambiguous) for p in parts]
    )
    sources = frozenset(part.source for part in parts if part.source)
    return Clip(audio, labels, known, kind, sources)


def at_level(audio: npt.NDArray[np.float32], level_dbfs: float) -> npt.NDArray[np.float32]:
    """Scales audio so that its loudest second has this RMS level; silence stays silence."""
    loudest = second_levels(audio).max()
    if loudest < -100:
        return audio
    return audio * np.float32(10 ** ((level_dbfs - loudest) / 20))
