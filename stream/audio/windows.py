"""One-second windows, one every hop, at positions counted in samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mmgat.model.embedders.log_mel import SAMPLE_RATE_HZ

WINDOW_SAMPLES: Final = SAMPLE_RATE_HZ
"""A window spans one second."""

HEARD_SAMPLES: Final = 15_600
"""What an embedder hears of it: 96 frames. The last 25 ms of a window are heard by nobody, so it is
released without waiting for them; that pays for the resampler's look-ahead."""


@dataclass(frozen=True)
class Window:
    """One second of sound, as far as it is heard.

    Attributes:
        index: counts the windows of a stream.
        start: position of the first sample in the stream, at 16 kHz.
        samples: float32 [15600].
        n_valid: samples that are sound; the rest is zero padding (only at an end).
    """

    index: int
    start: int
    samples: npt.NDArray[np.float32]
    n_valid: int = HEARD_SAMPLES

    @property
    def partial(self) -> bool:
        return self.n_valid < HEARD_SAMPLES

    @property
    def end(self) -> int:
        """Behind the last sample: a second after the start, or where the sound ended before."""
        return self.start + (self.n_valid if self.partial else WINDOW_SAMPLES)


class WindowAssembler:
    """Cuts a stream of samples into overlapping windows.

    Args:
        hop_samples: from one window's start to the next, at most a window.
    """

    def __init__(self, hop_samples: int) -> None:
        self._hop = hop_samples
        self._index = 0
        self.restart(0)

    def restart(self, position: int) -> None:
        """Continues at another position after a gap; what was held is forgotten."""
        self._held: npt.NDArray[np.float32] = np.zeros(0, np.float32)
        self._held_start = position
        self._start = position  # of the next window
        self._covered = position  # up to here samples have been in a window

    def push(self, samples: npt.NDArray[np.float32]) -> list[Window]:
        """The windows that these samples complete."""
        self._held = np.concatenate([self._held, samples])
        windows = []
        while self._held_start + len(self._held) >= self._start + HEARD_SAMPLES:
            windows.append(self._next(HEARD_SAMPLES))
        passed = min(self._start - self._held_start, len(self._held))
        self._held, self._held_start = self._held[passed:], self._held_start + passed
        return windows

    def flush(self) -> list[Window]:
        """The last samples as a padded window, if no window has had them yet."""
        end = self._held_start + len(self._held)
        windows = [self._next(end - self._start)] if end > self._covered else []
        self.restart(end)
        return windows

    def _next(self, n_valid: int) -> Window:
        first = self._start - self._held_start
        samples = np.zeros(HEARD_SAMPLES, np.float32)
        samples[:n_valid] = self._held[first : first + n_valid]
        window = Window(self._index, self._start, samples, n_valid)
        self._covered = window.end
        self._start += self._hop
        self._index += 1
        return window
