"""The front end both embedders read: VGGish's log-mel spectrogram, batched, in torch.

Equal to ``torchvggish.vggish_input`` to 1e-5, with the mel matrix built once instead of at every
call. Source: VGGish (Hershey et al. 2017), as published in tensorflow/models research/audioset.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

SAMPLE_RATE_HZ: Final = 16_000
FRAME_SAMPLES: Final = 400
FRAME_HOP_SAMPLES: Final = 160
FFT_SIZE: Final = 512
N_MELS: Final = 64
MEL_LOW_HZ: Final = 125.0
MEL_HIGH_HZ: Final = 7_500.0
LOG_OFFSET: Final = 0.01
EXAMPLE_FRAMES: Final = 96
"""Frames an embedder sees: 0.975 s of samples."""


def hz_to_mel(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """HTK mel scale, 1127 ln(1 + f / 700)."""
    return 1127.0 * np.log1p(np.asarray(hz, np.float64) / 700.0)


def mel_matrix() -> npt.NDArray[np.float64]:
    """[257, 64] triangles, linear in mel, unnormalised; the row of 0 Hz is zero."""
    bins = hz_to_mel(np.linspace(0.0, SAMPLE_RATE_HZ / 2, FFT_SIZE // 2 + 1))[:, None]
    edges = np.linspace(hz_to_mel(MEL_LOW_HZ), hz_to_mel(MEL_HIGH_HZ), N_MELS + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins - lower) / (centre - lower)
    falling = (upper - bins) / (upper - centre)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    return weights


class LogMel(nn.Module):
    """Waveform to log-mel frames.

    Shapes: float32 [B, T] mono at 16 kHz -> float32 [B, 1 + (T - 400) // 160, 64]. Frames are not
    padded: samples that do not fill a frame are left out. Silence gives ln(0.01) everywhere.
    The transform runs in float64: in float32 the rounding of a loud tone shows in the quiet bands.

    Raises:
        ValueError: T is below one frame (400 samples).
    """

    window: Tensor
    mel: Tensor

    def __init__(self) -> None:
        super().__init__()
        window = torch.hann_window(FRAME_SAMPLES, periodic=True, dtype=torch.float64)
        window = pad(window, (0, FFT_SIZE - FRAME_SAMPLES))
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("mel", torch.from_numpy(mel_matrix()).float(), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        if waveform.shape[-1] < FRAME_SAMPLES:
            raise ValueError(
                f"expected at least {FRAME_SAMPLES} samples, found {waveform.shape[-1]}: pad with zeros"
            )
        padded = pad(waveform.double(), (0, FFT_SIZE - FRAME_SAMPLES))
        frames = padded.unfold(-1, FFT_SIZE, FRAME_HOP_SAMPLES) * self.window
        spectrum = torch.view_as_real(torch.fft.rfft(frames)).float().square_()
        magnitude = (spectrum[..., 0] + spectrum[..., 1]).sqrt_()
        return (magnitude @ self.mel).add_(LOG_OFFSET).log_()

    def examples(self, windows: Tensor) -> Tensor:
        """Windows [B, 15600 or more] -> the first 96 frames of each, [B, 96, 64]."""
        frames: Tensor = self(windows)
        if frames.shape[-2] < EXAMPLE_FRAMES:
            raise ValueError(
                f"expected windows of at least {EXAMPLE_FRAMES} frames (15,600 samples), "
                f"found {frames.shape[-2]} frames: pad with zeros"
            )
        return frames[..., :EXAMPLE_FRAMES, :]
