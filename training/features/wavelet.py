"""Continuous wavelet transform with complex Morlet wavelets, by strided convolution (ours).

psi(t) = exp(-t^2 / B) exp(2 pi i C t) / sqrt(pi B), PyWavelets' ``cmorB-C``; a scale s stretches it
by s and divides by sqrt(s). C = 1; B follows from the quality Q = f / bandwidth.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import conv1d

RATE_HZ: Final = 16_000
HOP: Final = 160
N_SCALES: Final = 64
LOW_HZ: Final = 60.0
HIGH_HZ: Final = 7_500.0
QUALITY: Final = 8.0
BANDWIDTH: Final = 2 * (QUALITY / np.pi) ** 2
"""B of the wavelet, from Q: the deviation of |psi| in time is Q / (pi f)."""

LONGEST: Final = 2_049
OVERSAMPLING: Final = 4
"""Values of |psi| a hop; their mean is one frame."""

LOG_OFFSET: Final = 0.01


def centres() -> npt.NDArray[np.float64]:
    """Centre frequencies [64] in Hz, geometric."""
    return np.geomspace(LOW_HZ, HIGH_HZ, N_SCALES)


def morlet(scale: float, half: int) -> npt.NDArray[np.complex128]:
    """Samples of a wavelet of this scale at -half to half, [2 half + 1]."""
    t = np.arange(-half, half + 1) / scale
    return np.asarray(
        np.exp(-(t**2) / BANDWIDTH + 2j * np.pi * t) / np.sqrt(np.pi * BANDWIDTH * scale)
    )


@cache
def _bank() -> torch.Tensor:
    half = LONGEST // 2
    # What torch calls a convolution is a correlation, so the kernel is the wavelet's conjugate.
    kernels = np.conj(np.stack([morlet(RATE_HZ / f, half) for f in centres()]))
    return torch.from_numpy(np.concatenate([kernels.real, kernels.imag])[:, None]).float()


def coefficients(audio: npt.NDArray[np.float32], stride: int) -> npt.NDArray[np.complex64]:
    """Mono audio [T] at 16 kHz -> complex64 [64, ceil(T / stride)], centred at every stride."""
    samples = torch.from_numpy(np.ascontiguousarray(audio, np.float32))[None, None]
    with torch.inference_mode():
        found = conv1d(samples, _bank(), stride=stride, padding=LONGEST // 2)[0].numpy()
    return np.asarray(found[:N_SCALES] + 1j * found[N_SCALES:], np.complex64)


def scalogram(audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Mono audio [T] at 16 kHz -> ln(mean of |psi| in 10 ms + 0.01), float32 [T // 160, 64]."""
    magnitude = np.abs(coefficients(audio, HOP // OVERSAMPLING))
    n_frames = len(audio) // HOP
    grouped = magnitude[:, : n_frames * OVERSAMPLING].reshape(N_SCALES, n_frames, OVERSAMPLING)
    return np.asarray(np.log(grouped.mean(axis=2) + LOG_OFFSET).T, np.float32)
