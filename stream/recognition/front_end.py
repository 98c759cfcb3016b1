"""Spectrogram frames of overlapping windows, every frame computed once."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from mmgat.model.backends.base import HeardWindow
from mmgat.model.embedders.base import FrontEnd
from mmgat.stream.audio.windows import Window


class IncrementalFrontEnd:
    """Windows of one stream, in order -> what the embedder reads.

    At a hop of half a second, most of a window's frames are those of the window before; they are
    kept, and only the rest is computed.

    Args:
        front_end: the embedder's.
    """

    def __init__(self, front_end: FrontEnd) -> None:
        self._front_end = front_end
        self._before: Window | None = None
        self._frames = np.zeros((0, front_end.n_bands), np.float32)

    def __call__(self, window: Window) -> npt.NDArray[np.float32]:
        """float32 [n_frames, n_bands] of a window."""
        n_known = self._n_known(window, len(self._frames))
        frames = self._front_end.compute(window.samples[n_known * self._front_end.hop_samples :])
        if n_known:
            frames = np.concatenate([self._frames[-n_known:], frames])
        self._before, self._frames = window, frames
        return frames

    def hear(self, window: Window) -> HeardWindow:
        """The window as sound, for a device that keeps the frames of the window before."""
        n_known = self._n_known(window, self._front_end.n_frames)
        self._before, self._frames = window, self._frames[:0]
        return HeardWindow(
            stream=self,
            samples=window.samples,
            n_known=n_known,
            frames=partial(self, window),
        )

    def forget(self) -> None:
        """The next window is computed whole: what came of the last one is not known."""
        self._before = None

    def _n_known(self, window: Window, n_before: int) -> int:
        """How many first frames of a window are the last ones of the window before, of its last."""
        if self._before is None or self._before.partial or not window.continues:
            return 0
        shift, hop = window.start - self._before.start, self._front_end.hop_samples
        overlaps = 0 < shift < len(window.samples) and shift % hop == 0
        return max(0, n_before - shift // hop) if overlaps else 0
