"""Converts a stream of any rate and number of channels to mono at the embedder's rate."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
import soxr

QUALITY: Final = "HQ"
EDGE_SAMPLES: Final = 100
"""Half of soxr HQ's filter, in samples at the lower of both rates: sections that are resampled alone
equal the stream to 1e-6 but for so many samples at their ends (measured at eleven rates)."""

MAX_PERIOD_S: Final = 0.05
"""Input and output sample coincide at least this often, or ``ahead`` gives nothing."""


class MonoResampler:
    """Averages the channels, then resamples with soxr HQ in its streaming form.

    soxr is both fast and closest to how VGGish's published features were resampled. The result
    does not depend on how the stream is cut into blocks.

    soxr's stream gives samples in portions, up to 18 ms late from 48 kHz, though its filter looks
    3 ms ahead. ``ahead`` resamples the newest section once more and gives the rest at once.

    Shapes: float32 [frames, channels] at ``sample_rate_hz`` -> float32 [n] at ``target_hz``; n may
    be 0. ``flush`` gives the rest.
    """

    def __init__(self, sample_rate_hz: int, target_hz: int) -> None:
        self.sample_rate_hz, self.target_hz = sample_rate_hz, target_hz
        divisor = math.gcd(sample_rate_hz, target_hz)
        self._period, self._period_out = sample_rate_hz // divisor, target_hz // divisor
        slower = min(sample_rate_hz, target_hz)
        self._edge = math.ceil(EDGE_SAMPLES * sample_rate_hz / slower)
        self._edge_out = math.ceil(EDGE_SAMPLES * target_hz / slower)
        self._stream: soxr.ResampleStream | None = None
        self.reset()

    def reset(self) -> None:
        """Forgets the past, as is needed after a gap."""
        self._n_in = self._n_streamed = self._n_ahead = 0
        self._recent, self._recent_start = np.zeros(0, np.float32), 0
        if self.sample_rate_hz != self.target_hz:
            self._stream = soxr.ResampleStream(
                self.sample_rate_hz, self.target_hz, 1, dtype="float32", quality=QUALITY
            )

    def __call__(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Returns the samples at the target rate that soxr's stream gives for these frames."""
        mono = _mono(samples)
        if self._stream is None:
            return mono
        resampled = self._push(mono, last=False)
        self._n_in += len(mono)
        self._recent = np.concatenate([self._recent, mono])
        first = self._section_start(self._n_streamed)
        self._recent, self._recent_start = self._recent[first - self._recent_start :], first
        return resampled

    @property
    def n_ready(self) -> int:
        """So many samples ``ahead`` gives now."""
        if self._stream is None or self._period > MAX_PERIOD_S * self.sample_rate_hz:
            return 0
        n_known = self._n_in * self._period_out // self._period - self._edge_out
        return max(0, n_known - self._n_streamed - self._n_ahead)

    def ahead(self) -> npt.NDArray[np.float32]:
        """Returns samples that are known and have not come yet; they do not come again."""
        n_given = self._n_streamed + self._n_ahead
        n_ready = self.n_ready
        start = self._section_start(n_given)
        section = self._recent[start - self._recent_start :]
        resampled = soxr.resample(section, self.sample_rate_hz, self.target_hz, quality=QUALITY)
        first = n_given - start // self._period * self._period_out
        self._n_ahead += n_ready
        known: npt.NDArray[np.float32] = resampled[first : first + n_ready]
        return known

    def flush(self) -> npt.NDArray[np.float32]:
        """Returns what the filter still holds, float32 [n]; then the stream starts anew."""
        rest = self._push(np.zeros(0, np.float32), last=True)
        self.reset()
        return rest

    def _push(self, mono: npt.NDArray[np.float32], last: bool) -> npt.NDArray[np.float32]:
        if self._stream is None:
            return mono
        resampled: npt.NDArray[np.float32] = self._stream.resample_chunk(mono, last=last)
        n_known = min(self._n_ahead, len(resampled))
        self._n_streamed += len(resampled)
        self._n_ahead -= n_known
        return resampled[n_known:]

    def _section_start(self, n_given: int) -> int:
        """The frame where a section begins whose samples behind ``n_given`` are right."""
        first = n_given * self._period // self._period_out - self._edge
        return max(0, first // self._period * self._period)


def _mono(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The mean of the channels; adding them up one by one is several times as fast as numpy's mean."""
    n_channels = samples.shape[1]
    if n_channels == 1:
        return samples[:, 0]
    total = samples[:, 0] + samples[:, 1]
    for channel in range(2, n_channels):
        total += samples[:, channel]
    total /= np.float32(n_channels)
    return total
