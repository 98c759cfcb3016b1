"""Spectrogram frames of overlapping windows, every frame computed once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
        n_known = self._n_known(window)
        n_skipped = n_known or self._n_unheard(window)
        frames = self._front_end.compute(window.samples[n_skipped * self._front_end.hop_samples :])
        if n_known:
            frames = np.concatenate([self._frames[-n_known:], frames])
        elif n_skipped:
            frames = np.pad(frames, [(n_skipped, 0), (0, 0)])
        self._before, self._frames = window, frames
        return self._front_end.fill(frames, window.n_missing)

    def _n_known(self, window: Window) -> int:
        """How many first frames of a window are the last ones of the window before."""
        if self._before is None or self._before.partial or not window.continues:
            return 0
        shift, hop = window.start - self._before.start, self._front_end.hop_samples
        overlaps = 0 < shift < len(window.samples) and shift % hop == 0
        return max(0, len(self._frames) - shift // hop) if overlaps else 0

    def _n_unheard(self, window: Window) -> int:
        """How many first frames others will stand in for, so that they need not be computed."""
        n_unheard = -(-window.n_missing // self._front_end.hop_samples)
        return n_unheard if self._front_end.repeats and n_unheard < self._front_end.n_frames else 0
