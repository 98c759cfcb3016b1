"""Log-mel frames of overlapping windows, every frame computed once."""

from __future__ import annotations

import torch
from torch import Tensor

from model.log_mel import FRAME_HOP_SAMPLES, LogMel
from stream.windows import HEARD_SAMPLES, Window


class FrontEnd:
    """Windows of one stream, in order -> log-mel examples on the compute device.

    At a hop of half a second, half of a window's frames are those of the window before; they are
    kept, and only the rest is sent to the device (from pinned memory for a GPU) and computed.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._log_mel = LogMel().to(device)
        self._pinned: Tensor | None = None
        if device.type == "cuda":
            self._pinned = torch.zeros(1, HEARD_SAMPLES, pin_memory=True)
        self._before: Window | None = None
        self._frames = torch.zeros(1, 0, 0)

    def __call__(self, window: Window) -> Tensor:
        """float32 [1, 96, 64] of a window.

        Pinned memory is written again only after the caller has waited for what was computed from
        it, as the recogniser does.
        """
        n_known = self._n_known(window)
        samples = torch.from_numpy(window.samples[n_known * FRAME_HOP_SAMPLES :]).unsqueeze(0)
        if self._pinned is not None:
            pinned = self._pinned[:, : samples.shape[1]].copy_(samples)
            samples = pinned.to(self._device, non_blocking=True)
        frames: Tensor = self._log_mel(samples)
        if n_known:
            frames = torch.cat([self._frames[:, -n_known:], frames], dim=1)
        self._before, self._frames = window, frames
        return frames

    def _n_known(self, window: Window) -> int:
        """How many first frames of a window are the last ones of the window before."""
        if self._before is None or self._before.partial:
            return 0
        shift = window.start - self._before.start
        overlaps = 0 < shift < HEARD_SAMPLES and shift % FRAME_HOP_SAMPLES == 0
        return self._frames.shape[1] - shift // FRAME_HOP_SAMPLES if overlaps else 0
