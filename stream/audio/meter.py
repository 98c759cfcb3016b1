"""Measures the channels of a stream before they are mixed: faults, levels, and whether they cancel."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

SILENCE_DBFS: Final = -200.0
FULL_SCALE: Final = 0.999
MAX_MAGNITUDE: Final = 1e6
"""Beyond it samples are limited: their squares would overflow on the way through the networks."""

BIN_S: Final = 0.25
N_BINS: Final = 4
CANCEL_RATIO: Final = 0.01
"""Two channels whose mix has less than this share of their mean power, 20 dB below, cancel."""


class ChannelMeter:
    """Follows the channels of one stream.

    Args:
        sample_rate_hz: frames a second.

    Attributes:
        nonfinite: NaN or infinite samples so far, over all channels.
        clipped: samples at full scale or beyond so far, over all channels.
        clipped_channels: the same, of every channel; empty before the first clip.
        zeros_s: for how many seconds nothing but exact zeros has come on any channel.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self.nonfinite = self.clipped = 0
        self.clipped_channels: list[int] = []
        self.zeros_s = 0.0
        self._rate = sample_rate_hz
        self._bins: deque[tuple[int, npt.NDArray[np.float64], float]] = deque(maxlen=N_BINS)

    def push(self, samples: Samples) -> Samples:
        """Measures float32 [frames, channels]; returns them finite and limited."""
        samples = self.limit(samples)
        if len(samples):
            self._add(samples)
        return samples

    def limit(self, samples: Samples) -> Samples:
        """Counts faults, and does no more: returns samples finite and limited.

        NaN and infinite samples become zero.
        """
        low, high = samples.min(initial=0.0), samples.max(initial=0.0)
        silent = low == high == 0.0  # NaN equals nothing
        self.zeros_s = self.zeros_s + len(samples) / self._rate if silent else 0.0
        if not (low > -FULL_SCALE and high < FULL_SCALE):  # so with NaN
            return self._repaired(samples)
        return samples

    @property
    def level_dbfs(self) -> float:
        """RMS level of the loudest channel in the last second."""
        powers, _ = self._powers()
        return power_dbfs(float(powers.max(initial=0.0)))

    @property
    def levels_dbfs(self) -> list[float]:
        """RMS level of every channel in the last second; empty before the first samples."""
        return [power_dbfs(float(power)) for power in self._powers()[0]] if self._bins else []

    def cancels(self, above_dbfs: float) -> bool:
        """Whether the channels are louder than this level, and cancel each other in their mix.

        More than two channels may be so different that their mix is weak by itself: n of them, of
        which one sounds, by a factor of n. What counts is weaker by a factor of 50 than that.
        """
        n = len(self._bins[-1][1]) if self._bins else 0
        if n < 2:
            return False
        powers, mix = self._powers()
        if power_dbfs(float(powers.max())) <= above_dbfs:
            return False
        return mix < CANCEL_RATIO * min(1.0, 2 / n) * float(powers.mean())

    def _repaired(self, samples: Samples) -> Samples:
        finite = np.isfinite(samples)
        self.nonfinite += int(samples.size - finite.sum())
        repaired = np.where(finite, samples, np.float32(0.0))
        clipped = (np.abs(repaired) >= FULL_SCALE).sum(axis=0).tolist()
        before = self.clipped_channels or [0] * len(clipped)
        self.clipped_channels = [old + new for old, new in zip(before, clipped, strict=True)]
        self.clipped += sum(clipped)
        return np.clip(repaired, -MAX_MAGNITUDE, MAX_MAGNITUDE)

    def _add(self, samples: Samples) -> None:
        if samples.shape[1] == 1:
            mix_energy = float(np.vdot(samples, samples))
            energies = np.array([mix_energy])
        else:
            products = (samples.T @ samples).astype(np.float64)  # of every channel with every other
            energies, mix_energy = products.diagonal(), float(products.mean())
        n_frames = len(samples)
        if self._bins and self._bins[-1][0] < BIN_S * self._rate:
            before, energies_before, mix_before = self._bins.pop()
            n_frames += before
            energies, mix_energy = energies + energies_before, mix_energy + mix_before
        self._bins.append((n_frames, energies, mix_energy))

    def _powers(self) -> tuple[npt.NDArray[np.float64], float]:
        """Mean power of every channel, and of their mix, in the last second."""
        bins = list(self._bins)
        n_frames = sum(n for n, _, _ in bins)
        if not n_frames:
            return np.zeros(1), 0.0
        powers = np.sum([energies for _, energies, _ in bins], axis=0) / n_frames
        return powers, sum(mix for _, _, mix in bins) / n_frames


def power_dbfs(power: float) -> float:
    """Returns mean power as dB relative to full scale; -200 for digital silence."""
    return max(SILENCE_DBFS, 10 * math.log10(power)) if power > 0 else SILENCE_DBFS


def level_dbfs(samples: Samples) -> float:
    """Returns the RMS level in dBFS of float32 [frames]; -200 for digital silence."""
    return power_dbfs(float(np.vdot(samples, samples)) / len(samples) if len(samples) else 0.0)
