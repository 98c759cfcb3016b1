"""Log-mel frames of overlapping windows, every frame computed once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mmgat.model.embedders.log_mel import FRAME_HOP_SAMPLES, N_MELS, log_mel
from mmgat.stream.audio.windows import HEARD_SAMPLES, Window


class FrontEnd:
    """Windows of one stream, in order -> log-mel examples.

    At a hop of half a second, half of a window's frames are those of the window before; they are
    kept, and only the rest is computed.
    """

    def __init__(self) -> None:
        self._before: Window | None = None
        self._frames = np.zeros((0, N_MELS), np.float32)

    def __call__(self, window: Window) -> npt.NDArray[np.float32]:
        """float32 [96, 64] of a window."""
        n_known = self._n_known(window)
        frames = log_mel(window.samples[n_known * FRAME_HOP_SAMPLES :])
        if n_known:
            frames = np.concatenate([self._frames[-n_known:], frames])
        self._before, self._frames = window, frames
        return frames

    def _n_known(self, window: Window) -> int:
        """How many first frames of a window are the last ones of the window before."""
        if self._before is None or self._before.partial:
            return 0
        shift = window.start - self._before.start
        overlaps = 0 < shift < HEARD_SAMPLES and shift % FRAME_HOP_SAMPLES == 0
        return len(self._frames) - shift // FRAME_HOP_SAMPLES if overlaps else 0
