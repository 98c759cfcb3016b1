"""The clips of the yard: stereo, ten seconds at 16 kHz, labels known for every second (ours).

A clip is a sum of players, each somewhere between left and right. What plays is labelled by level, as
in ``mmgat.training.synthesis.labelling``. All clips end at 8 kHz, as most recordings do, so that
bandwidth tells nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import soxr

from mmgat.training.features.registry import RATE_HZ
from mmgat.training.synthesis.augment import augment, noise
from mmgat.training.synthesis.labelling import Part, at_level, mix
from mmgat.training.yard.players import PARTS, Players

KINDS: Final = ("solo", "notes", "rendered", "degraded", "nothing")
"""One recorded player; two to four; rendered ones; any of these in a room, with noise or coded; and
everyday sounds or noise without any instrument."""

SHARES: Final = (0.24, 0.26, 0.28, 0.16, 0.06)
PEAK: Final = 0.98


class StereoClip(NamedTuple):
    """A clip: audio float32 [2, 160000]; labels and whether they are known, bool [10, 20]."""

    audio: npt.NDArray[np.float32]
    labels: npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_]
    kind: str
    sources: frozenset[str]


def pan(audio: npt.NDArray[np.float32], position: float) -> npt.NDArray[np.float32]:
    """Places a mono part [T] between left (0) and right (1) at constant power: [2, T]."""
    angle = position * np.pi / 2
    gains = np.array([np.cos(angle), np.sin(angle)], np.float32) * np.float32(np.sqrt(2))
    return gains[:, None] * audio


def make_clip(players: Players, index: int, seed: int = 0) -> StereoClip:
    """Makes the clip of this index: the same players, index and seed give the same clip."""
    rng = np.random.default_rng((seed, PARTS.index(players.part), index))
    kind = str(rng.choice(KINDS, p=SHARES))
    parts = _parts(players, kind, rng)
    labelled = mix(parts, kind)
    stereo = np.sum([pan(part.audio, float(rng.beta(2, 2))) for part in parts], axis=0)
    audio = soxr.resample(stereo.T, 32_000, RATE_HZ, "HQ").T.astype(np.float32)
    if kind == "degraded":
        heard = augment(audio.mean(axis=0), rng)  # one microphone: both channels are alike
        audio = np.stack([heard, heard])
    audio = audio * np.float32(10 ** (rng.uniform(-12, 3) / 20))
    audio /= max(1.0, float(np.abs(audio).max()) / PEAK)
    sources = frozenset(part.source for part in parts if part.source)
    return StereoClip(audio, labelled.labels, labelled.known, kind, sources)


def _parts(players: Players, kind: str, rng: np.random.Generator) -> Sequence[Part]:
    if kind == "nothing":
        if rng.random() < 0.5:
            steady = noise(rng, 320_000, 32_000) * 10 ** (rng.uniform(-50, -12) / 20)
            return [Part(steady.astype(np.float32), None)]
        return [_levelled(players.sound(rng), -20)]
    if kind == "solo":
        return [_levelled(players.note_player(rng), -20)]
    if kind == "degraded":
        kind = "notes" if rng.random() < 0.45 else "rendered"
    if kind == "rendered" and rng.random() < 0.6 and (song := players.song(rng)):
        return song
    n_parts = int(rng.choice([2, 3, 4], p=[0.5, 0.3, 0.2]))
    if kind == "rendered":
        n_parts = int(rng.choice([1, 2, 3, 4], p=[0.3, 0.3, 0.25, 0.15]))
    draw = players.stem if kind == "rendered" else players.note_player
    levels = -20 - np.append(0.0, rng.uniform(0, 14, n_parts))
    return [_levelled(draw(rng), level) for level in levels[:n_parts]]


def _levelled(part: Part, level_dbfs: float) -> Part:
    return part._replace(audio=at_level(part.audio, level_dbfs))
