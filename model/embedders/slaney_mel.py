"""The log-mel spectrogram of Han's ConvNet, and the raw waveform, as front ends in numpy.

Source: Han, Kim, Lee 2017 (arXiv 1605.09507): mono at 22.05 kHz, frames of 1024 samples, hop 512, 128
mel bands, 43 frames a second. Equal to librosa's melspectrogram without centring. The logarithm's
offset is ours; clips are not peak-normalised, since a stream has no peak yet.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from mmgat.model.embedders.base import FrontEnd
from mmgat.model.embedders.framing import check_length, framed

SAMPLE_RATE_HZ: Final = 22_050
FRAME_SAMPLES: Final = 1024
FRAME_HOP_SAMPLES: Final = 512
N_MELS: Final = 128
N_FRAMES: Final = 43
LOG_OFFSET: Final = 1e-6

RAW_RATE_HZ: Final = 16_000
RAW_FRAME: Final = 160

_LINEAR_HZ: Final = 1000.0
_HZ_PER_MEL: Final = 200.0 / 3
_LOG_STEP: Final = float(np.log(6.4)) / 27


def hz_to_slaney(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Slaney's mel scale: linear below 1 kHz, logarithmic above."""
    values = np.asarray(hz, np.float64)
    above = _LINEAR_HZ / _HZ_PER_MEL + np.log(np.maximum(values, 1e-9) / _LINEAR_HZ) / _LOG_STEP
    return np.where(values >= _LINEAR_HZ, above, values / _HZ_PER_MEL)


def slaney_to_hz(mels: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The inverse of ``hz_to_slaney``."""
    values = np.asarray(mels, np.float64)
    first = _LINEAR_HZ / _HZ_PER_MEL
    above = _LINEAR_HZ * np.exp(_LOG_STEP * (values - first))
    return np.where(values >= first, above, values * _HZ_PER_MEL)


def slaney_matrix(rate_hz: int, fft_size: int, n_bands: int) -> npt.NDArray[np.float64]:
    """Triangles [fft_size // 2 + 1, n_bands] from 0 Hz to half the rate, each of unit area."""
    bins = np.fft.rfftfreq(fft_size, 1 / rate_hz)[:, None]
    edges = slaney_to_hz(np.linspace(0.0, float(hz_to_slaney(rate_hz / 2)), n_bands + 2))
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    weights = np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre))
    return np.asarray(np.maximum(0.0, weights) * 2.0 / (upper - lower))


@cache
def _matrix() -> npt.NDArray[np.float32]:
    return slaney_matrix(SAMPLE_RATE_HZ, FRAME_SAMPLES, N_MELS).astype(np.float32)


@cache
def _hann() -> npt.NDArray[np.float32]:
    angle = 2 * np.pi * np.arange(FRAME_SAMPLES) / FRAME_SAMPLES
    return (0.5 - 0.5 * np.cos(angle)).astype(np.float32)


def slaney_log_mel(waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Computes ln(mel power + 1e-6) of a waveform.

    Shapes: float32 [..., T] mono at 22.05 kHz -> float32 [..., 1 + (T - 1024) // 512, 128]. Frames
    are not padded.

    Raises:
        ValueError: T is below one frame (1024 samples).
    """
    check_length(waveform, FRAME_SAMPLES)
    samples = np.ascontiguousarray(waveform, np.float32)
    spectrum = np.fft.rfft(framed(samples, FRAME_SAMPLES, FRAME_HOP_SAMPLES) * _hann())
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return np.asarray(np.log(power @ _matrix() + np.float32(LOG_OFFSET)), np.float32)


def raw_frames(waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Cuts a waveform [..., T] into [..., T // 160, 160]: 10 ms at 16 kHz, nothing else done."""
    samples = np.asarray(waveform, np.float32)
    n_frames = samples.shape[-1] // RAW_FRAME
    return samples[..., : n_frames * RAW_FRAME].reshape(*samples.shape[:-1], n_frames, RAW_FRAME)


SLANEY_LOG_MEL: Final = FrontEnd(
    sample_rate_hz=SAMPLE_RATE_HZ,
    frame_samples=FRAME_SAMPLES,
    hop_samples=FRAME_HOP_SAMPLES,
    n_frames=N_FRAMES,
    n_bands=N_MELS,
    compute=slaney_log_mel,
)
"""1.02 s: what Han's ConvNet reads at once."""

RAW_WAVEFORM: Final = FrontEnd(
    sample_rate_hz=RAW_RATE_HZ,
    frame_samples=RAW_FRAME,
    hop_samples=RAW_FRAME,
    n_frames=100,
    n_bands=RAW_FRAME,
    compute=raw_frames,
)
"""One second of samples."""
