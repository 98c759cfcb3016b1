"""Times of calls, side by side in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

RATE_HZ = 48_000
REPEATS = 300


def percentile(values: list[float], share: float) -> float:
    return float(np.percentile(values, share))


def side_by_side(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    stretch: int = 1,
    clock: Callable[[], float] = time.perf_counter,
    repeats: int = REPEATS,
) -> tuple[float, float]:
    """Median milliseconds of both, after a warm-up, ``stretch`` runs of each in turns.

    With ``time.thread_time`` as clock, what runs on one thread is timed apart from a busy machine's
    other work.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats // stretch + 3):
        for runs, function in zip(times, (ours, theirs), strict=True):
            for _ in range(stretch):
                begun = clock()
                function()
                if turn >= 3:
                    runs.append(1000 * (clock() - begun))
    return statistics.median(times[0]), statistics.median(times[1])


def sound(seconds: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Tones and noise, float32 [n]."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    tones = sum(np.sin(2 * np.pi * f * t * (1 + 0.001 * np.sin(t))) for f in (220, 331, 557))
    noise = np.random.default_rng(0).normal(0, 0.05, len(t))
    return (0.2 * tones + noise).astype(np.float32)
