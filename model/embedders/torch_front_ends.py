"""The front ends in torch, for a device that computes the spectrograms of many streams at once.

Each is the function of the same name in numpy, to rounding; ``FrontEnd.in_torch`` names it. All shapes
follow from the input's, so that a CUDA graph can be captured of it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmgat.model.embedders import kaldi_mel, log_mel


class VGGishLogMel(nn.Module):
    """``log_mel.log_mel``, with the transform in float64, as there.

    Shapes: float32 [B, T] at 16 kHz -> float32 [B, 1 + (T - 400) // 160, 64].
    """

    window: Tensor
    mel: Tensor

    def __init__(self) -> None:
        super().__init__()
        size = log_mel.FRAME_SAMPLES
        window = torch.hann_window(size, dtype=torch.float64)
        self.register_buffer("window", window, persistent=False)
        mel = torch.from_numpy(log_mel.mel_matrix()).float()
        self.register_buffer("mel", mel, persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Computes log-mel frames; see the class for shapes."""
        frames = waveform.double().unfold(-1, log_mel.FRAME_SAMPLES, log_mel.FRAME_HOP_SAMPLES)
        spectrum = torch.fft.rfft(frames * self.window, log_mel.FFT_SIZE)
        mel: Tensor = spectrum.abs().float() @ self.mel
        return (mel + log_mel.LOG_OFFSET).log()


class KaldiLogMel(nn.Module):
    """``kaldi_mel.kaldi_log_mel``.

    Shapes: float32 [B, T] at 32 kHz -> float32 [B, 1 + (T - 801) // 320, 128].
    """

    window: Tensor
    mel: Tensor

    def __init__(self) -> None:
        super().__init__()
        window = torch.hann_window(kaldi_mel.WINDOW_SAMPLES, periodic=False)
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("mel", torch.from_numpy(kaldi_mel.mel_matrix()), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Computes log-mel frames; see the class for shapes."""
        emphasised = waveform[..., 1:] - kaldi_mel.PRE_EMPHASIS * waveform[..., :-1]
        frames = emphasised.unfold(-1, kaldi_mel.WINDOW_SAMPLES, kaldi_mel.FRAME_HOP_SAMPLES)
        spectrum = torch.fft.rfft(frames * self.window, kaldi_mel.FFT_SIZE)
        power = spectrum.real.square() + spectrum.imag.square()
        mel: Tensor = power @ self.mel
        return ((mel + kaldi_mel.POWER_OFFSET).log() + 4.5) / 5.0
