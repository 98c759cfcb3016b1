"""The sound an audit plays: files, sounds one after another, steady noise."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from mmgat.training.synthesis.augment import noise as steady
from mmgat.training.synthesis.packages import to_mono
from tools.audit.listening import RATE_HZ, Samples

LEVELS_DBFS: Final = (-80, -60, -50, -40, -30, -20, -10, 0)
N_NOISES: Final = 12
NOISE_S: Final = 20.0
GAP_S: Final = 0.5
LONGEST_S: Final = 600.0


def read(source: Any) -> Samples:
    """A sound file as float32 [T], mono at ``RATE_HZ``; at most ten minutes of it."""
    with soundfile.SoundFile(source) as file:
        audio = file.read(int(LONGEST_S * file.samplerate), dtype="float32")
        return to_mono(audio, file.samplerate, RATE_HZ)


def joined(sounds: Iterable[Samples]) -> Samples:
    """One after another, with half a second between."""
    gap = np.zeros(round(GAP_S * RATE_HZ), np.float32)
    return np.concatenate([part for samples in sounds for part in (samples, gap)])


def noises() -> Iterable[Samples]:
    """Digital silence and steady noises at every level, clipped at full scale."""
    rng = np.random.default_rng(0)
    length = round(NOISE_S * RATE_HZ)
    yield np.zeros(length, np.float32)
    for _ in range(N_NOISES):
        shape = steady(rng, length, RATE_HZ)
        for level in LEVELS_DBFS:
            yield np.clip(shape * 10 ** (level / 20), -1, 1).astype(np.float32)


def trimmed(samples: Samples) -> Samples:
    """Without what is 40 dB below the loudest hundredth of a second at both ends."""
    block = RATE_HZ // 100
    n_blocks = len(samples) // block
    power = (samples[: n_blocks * block].reshape(n_blocks, block) ** 2).mean(axis=1)
    sounding = np.flatnonzero(power > power.max(initial=0.0) * 1e-4)
    return (
        samples[sounding[0] * block : (sounding[-1] + 1) * block] if len(sounding) else samples[:0]
    )


def manifest(folder: Path) -> list[dict[str, str]]:
    """The rows of a folder's manifest.csv.

    Raises:
        OSError: there is none.
    """
    with (folder / "manifest.csv").open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))
