"""Log-mel spectrograms as Kaldi computes them, in torch: what AudioSet's transformers read.

Sources: torchaudio's ``compliance.kaldi`` for the bands and BEATs' filter bank; EfficientAT and PaSST
(Schmid, Koutini) for the other one.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

PRE_EMPHASIS: Final = 0.97
N_BANDS: Final = 128

MN04_RATE_HZ: Final = 32_000
BEATS_RATE_HZ: Final = 16_000
FULL_SCALE: Final = 2.0**15
"""Kaldi takes samples as whole numbers of 16 bits."""

FRAME: Final = 400
HOP: Final = 160
FLOOR: Final = float(torch.finfo(torch.float32).eps)


def mel_bands(
    n_bands: int, n_fft: int, rate_hz: int, low_hz: float, high_hz: float
) -> npt.NDArray[np.float32]:
    """Computes Kaldi's mel bands, float32 [n_bands, n_fft // 2 + 1].

    They are triangles over mel, unlike librosa's over Hz, and the Nyquist frequency has no weight.
    """
    mel = 1127.0 * np.log1p(np.arange(n_fft // 2 + 1) * rate_hz / n_fft / 700.0)
    low, high = (1127.0 * np.log1p(hz / 700.0) for hz in (low_hz, high_hz))
    corners = np.linspace(low, high, n_bands + 2)
    bands = np.stack(
        [
            np.interp(mel, corners[band : band + 3], [0.0, 1.0, 0.0], left=0.0, right=0.0)
            for band in range(n_bands)
        ]
    )
    bands[:, -1] = 0.0
    return bands.astype(np.float32)


@cache
def _bands(n_fft: int, rate_hz: int, low_hz: float, high_hz: float) -> Tensor:
    return torch.from_numpy(mel_bands(N_BANDS, n_fft, rate_hz, low_hz, high_hz))


def centred_log_mel(clips: Tensor) -> Tensor:
    """Sound [n, T] at 32 kHz -> log-mel [n, 1, 128, 1 + (T - 1) // 320], as mn04 and PaSST read it.

    Frames are centred, and the sound is mirrored at its ends.
    """
    emphasised = clips[:, 1:] - PRE_EMPHASIS * clips[:, :-1]
    window = torch.hann_window(800, periodic=False)
    power = torch.stft(emphasised, 1024, 320, 800, window, return_complex=True).abs().square()
    bands = _bands(1024, MN04_RATE_HZ, 0.0, 15_000.0)
    return (((bands @ power + 1e-5).log() + 4.5) / 5).unsqueeze(1)


def filter_bank(clips: Tensor) -> Tensor:
    """Sound [n, T] at 16 kHz -> log-mel [n, 1 + (T - 400) // 160, 128], as torchaudio's ``fbank``.

    Frames of 25 ms every 10 ms, without dither; 20 Hz to 8 kHz.
    """
    frames = (FULL_SCALE * clips).unfold(-1, FRAME, HOP)
    frames = frames - frames.mean(-1, keepdim=True)
    before = torch.cat([frames[..., :1], frames[..., :-1]], dim=-1)
    window = torch.hann_window(FRAME, periodic=False) ** 0.85  # Kaldi's "povey"
    spectrum = torch.fft.rfft((frames - PRE_EMPHASIS * before) * window, 512)
    power: Tensor = spectrum.abs().square() @ _bands(512, BEATS_RATE_HZ, 20.0, 8_000.0).T
    log_mel: Tensor = power.clamp(min=FLOOR).log()
    return log_mel
