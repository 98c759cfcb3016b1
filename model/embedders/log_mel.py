"""VGGish's log-mel spectrogram, batched, in numpy.

Equal to ``torchvggish.vggish_input`` to 1e-5, with the mel matrix built once instead of at every
call. Source: VGGish (Hershey et al. 2017), as published in tensorflow/models research/audioset.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mmgat.model.embedders.base import FrontEnd
from mmgat.model.embedders.framing import check_length, framed

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
N_PARTS: Final = 4
"""Into so many parts the mel matrix is cut."""


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


class MelPart(NamedTuple):
    """Neighbouring bands, and the bins they hear: weights float32 [bins, bands]."""

    bins: slice
    bands: slice
    weights: npt.NDArray[np.float32]


def mel_parts(matrix: npt.NDArray[np.floating], n_parts: int) -> list[MelPart]:
    """A mel matrix [bins, bands] without most of its zeros: the product takes a third of the time."""
    n_bands = matrix.shape[1]
    parts = []
    for first in range(0, n_bands, n_bands // n_parts):
        bands = slice(first, first + n_bands // n_parts)
        weights = matrix[:, bands].astype(np.float32)
        heard = np.flatnonzero(weights.any(axis=1))
        bins = slice(int(heard[0]), int(heard[-1]) + 1)
        parts.append(MelPart(bins, bands, np.ascontiguousarray(weights[bins])))
    return parts


@cache
def _mel_parts() -> list[MelPart]:
    return mel_parts(mel_matrix(), N_PARTS)


@cache
def _hann() -> npt.NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME_SAMPLES) / FRAME_SAMPLES)


def log_mel(waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Waveform to log-mel frames.

    Shapes: float32 [..., T] mono at 16 kHz -> float32 [..., 1 + (T - 400) // 160, 64]. Frames are
    not padded: samples that do not fill a frame are left out. Silence gives ln(0.01) everywhere.
    The transform runs in float64: in float32 the rounding of a loud tone shows in the quiet bands.

    Raises:
        ValueError: T is below one frame (400 samples).
    """
    check_length(waveform, FRAME_SAMPLES)
    samples = np.ascontiguousarray(waveform, np.float64)
    frames = framed(samples, FRAME_SAMPLES, FRAME_HOP_SAMPLES)
    shape = frames.shape[:-1]
    padded = np.empty((*shape, FFT_SIZE))  # numpy's own padding is slower
    np.multiply(frames, _hann(), out=padded[..., :FRAME_SAMPLES])
    padded[..., FRAME_SAMPLES:] = 0.0
    magnitude = np.abs(np.fft.rfft(padded).astype(np.complex64))
    mel = np.empty((*shape, N_MELS), np.float32)
    for part in _mel_parts():
        np.matmul(magnitude[..., part.bins], part.weights, out=mel[..., part.bands])
    mel += np.float32(LOG_OFFSET)
    return np.log(mel, out=mel)


VGGISH_LOG_MEL: Final = FrontEnd(
    sample_rate_hz=SAMPLE_RATE_HZ,
    frame_samples=FRAME_SAMPLES,
    hop_samples=FRAME_HOP_SAMPLES,
    n_frames=EXAMPLE_FRAMES,
    n_bands=N_MELS,
    compute=log_mel,
    in_torch="mmgat.model.embedders.torch_front_ends:VGGishLogMel",
)
"""0.975 s, 96 frames of 64 bands: what VGGish reads, and the compact embedder."""

examples: Final = VGGISH_LOG_MEL.examples
