"""Arrangement: recorded notes become a part of a clip, as lines, chords or patterns (ours)."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import soxr

from mmgat.training.synthesis.packages import RATE_HZ
from mmgat.training.synthesis.sample_bank import SampleBank, Source

CLIP_S: Final = 10
CLIP_SAMPLES: Final = CLIP_S * RATE_HZ
FADE_SAMPLES: Final = RATE_HZ // 100
SHIFT_SEMITONES: Final = 3.0


def shift_pitch(audio: npt.NDArray[np.float32], semitones: float) -> npt.NDArray[np.float32]:
    """Changes pitch and speed together: [T] -> [T / 2^(semitones / 12)]."""
    if abs(semitones) < 0.05 or not len(audio):
        return audio
    shifted: npt.NDArray[np.float32] = soxr.resample(
        audio, RATE_HZ * 2 ** (semitones / 12), RATE_HZ, "MQ"
    )
    return shifted


def fade(audio: npt.NDArray[np.float32], fade_out: int = FADE_SAMPLES) -> npt.NDArray[np.float32]:
    """Fades a copy in over 2 ms and out over ``fade_out`` samples, linearly."""
    faded = audio.copy()
    n_in, n_out = min(64, len(faded)), min(fade_out, len(faded))
    faded[:n_in] *= np.linspace(0, 1, n_in, dtype=np.float32)
    faded[len(faded) - n_out :] *= np.linspace(1, 0, n_out, dtype=np.float32)
    return faded


def _add(clip: npt.NDArray[np.float32], piece: npt.NDArray[np.float32], start: int) -> None:
    end = min(len(clip), start + len(piece))
    if start < end:
        clip[start:end] += piece[: end - start]


def _span(rng: np.random.Generator) -> tuple[float, float]:
    """Draws when a part begins and ends, in seconds."""
    begins = 0.0 if rng.random() < 0.55 else rng.uniform(0.0, 7.0)
    ends = CLIP_S if rng.random() < 0.55 else rng.uniform(begins + 1.5, CLIP_S + 1.0)
    return begins, min(ends, CLIP_S)


def _pattern(
    bank: SampleBank, source: Source, rng: np.random.Generator, clip: npt.NDArray[np.float32]
) -> None:
    """Adds percussion: a bar of 16 steps, repeated."""
    n_hits = min(len(source.notes), int(rng.integers(1, 6)))
    hits = [source.notes[i] for i in rng.choice(len(source.notes), n_hits, replace=False)]
    sounds = [fade(bank.take(hit)[: int(2.5 * RATE_HZ)]) for hit in hits]
    grid = rng.random((n_hits, 16)) < rng.uniform(0.08, 0.4, (n_hits, 1))
    grid[0, 0] = True
    step = 60 / rng.uniform(60, 170) / 4
    begins, ends = _span(rng)
    for index in range(int((ends - begins) / step)):
        for hit in np.flatnonzero(grid[:, index % 16]):
            loudness = np.float32(10 ** (rng.uniform(-9, 0) / 20))
            _add(clip, sounds[hit] * loudness, int((begins + index * step) * RATE_HZ))


def _line(
    bank: SampleBank, source: Source, rng: np.random.Generator, clip: npt.NDArray[np.float32]
) -> None:
    """Adds notes one after another, or chords, at a beat with rests."""
    n_pool = min(len(source.notes), int(rng.integers(3, 13)))
    pool = [source.notes[i] for i in rng.choice(len(source.notes), n_pool, replace=False)]
    chords = source.label in {"piano", "guitar", "organ"} and rng.random() < 0.5
    beat, overlap = rng.uniform(0.2, 0.9), rng.uniform(1.5, 3.0) if source.ringing else 1.05
    shift = float(rng.uniform(-SHIFT_SEMITONES, SHIFT_SEMITONES))
    now, ends = _span(rng)
    while now < ends:
        length = float(np.clip(beat * rng.choice([0.5, 0.5, 1, 1, 2, 4]), 0.15, 3.0))
        heard = int(length * overlap * RATE_HZ)
        for voice in range(int(rng.integers(2, 5)) if chords else 1):
            semitones = shift if rng.random() < 0.6 else shift + float(rng.integers(-1, 2))
            note = bank.take(pool[rng.integers(n_pool)])[: int(heard * 1.3)]
            note = shift_pitch(note, float(np.clip(semitones, -SHIFT_SEMITONES, SHIFT_SEMITONES)))
            note = fade(note[:heard], min(len(note) // 4, RATE_HZ // 20))
            note *= np.float32(10 ** (rng.uniform(-8, 0) / 20))
            _add(clip, note, int((now + 0.015 * voice) * RATE_HZ))
        now += length
        if rng.random() < 0.12:
            now += beat * float(rng.choice([1, 2, 4]))


def arrange(bank: SampleBank, source: Source, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Arranges one part of a clip: float32 [320000] at 32 kHz, silent where it rests.

    Args:
        bank: has the recordings.
        source: one instrument of one player.
        rng: the randomness.
    """
    clip = np.zeros(CLIP_SAMPLES, np.float32)
    if source.phrases and (not source.notes or rng.random() < 0.4):
        now, ends = _span(rng)
        shift = float(rng.uniform(-SHIFT_SEMITONES, SHIFT_SEMITONES))
        while now < ends:
            phrase = shift_pitch(
                bank.take(source.phrases[rng.integers(len(source.phrases))]), shift
            )
            phrase = fade(phrase[: int((ends - now) * RATE_HZ)])
            _add(clip, phrase, int(now * RATE_HZ))
            now += max(0.2, len(phrase) / RATE_HZ) + float(rng.choice([0.0, 0.2, 1.0]))
    elif source.label in {"drums", "cymbals"}:
        _pattern(bank, source, rng, clip)
    else:
        _line(bank, source, rng, clip)
    return clip
