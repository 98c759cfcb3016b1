"""The front end of AudioSet's EfficientAT networks: Kaldi-like log-mel frames, in numpy.

Source: EfficientAT (Schmid et al. 2023), https://github.com/fschmid56/EfficientAT, mn04_as: 32 kHz,
pre-emphasis, 128 Kaldi mel bands. Its authors centre and pad frames of a whole clip; here a frame
depends on nothing but the samples under it, so that every frame of a stream is computed once.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from mmgat.model.embedders.base import FrontEnd
from mmgat.model.embedders.framing import check_length, framed
from mmgat.model.embedders.log_mel import MelPart, mel_parts

SAMPLE_RATE_HZ: Final = 32_000
WINDOW_SAMPLES: Final = 800
FRAME_SAMPLES: Final = WINDOW_SAMPLES + 1
"""Under one frame: the window, and the sample before it, which pre-emphasis looks at."""

FRAME_HOP_SAMPLES: Final = 320
FFT_SIZE: Final = 1024
N_MELS: Final = 128
MEL_HIGH_HZ: Final = 15_000.0
PRE_EMPHASIS: Final = 0.97
POWER_OFFSET: Final = 1e-5
N_PARTS: Final = 4
"""Into so many parts the mel matrix is cut."""

N_AT_ONCE: Final = 50
"""Frames of a block, which stays in the cache."""

N_FRAMES: Final = 200
"""Frames the embedder reads at once: the two seconds that end with a node's second."""


def mel_matrix() -> npt.NDArray[np.float32]:
    """[513, 128] triangles from 0 to 15 kHz, linear in mel as Kaldi makes them; the last row is 0."""
    centres = _mel(SAMPLE_RATE_HZ / FFT_SIZE * np.arange(FFT_SIZE // 2))[:, None]
    edges = np.linspace(0.0, float(_mel(np.array(MEL_HIGH_HZ))), N_MELS + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (centres - lower) / (centre - lower)
    falling = (upper - centres) / (upper - centre)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    return np.pad(weights, ((0, 1), (0, 0))).astype(np.float32)


def _mel(hz: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(hz / 700.0), np.float64)


@cache
def _mel_parts() -> list[MelPart]:
    return mel_parts(mel_matrix(), N_PARTS)


@cache
def _hann() -> npt.NDArray[np.float64]:
    return np.hanning(WINDOW_SAMPLES)


def kaldi_log_mel(waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Computes the log-mel frames of a waveform, scaled to about [-1, 2].

    Shapes: float32 [..., T] mono at 32 kHz -> float32 [..., 1 + (T - 801) // 320, 128]. Frame k is
    of the samples 320 k + 1 to 320 k + 800, pre-emphasised with the one before each. Nothing is
    padded: samples that do not fill a frame are left out. Digital silence gives -1.40. The transform
    runs in float64: numpy's is five times as fast as that in float32.

    Raises:
        ValueError: T is below one frame (801 samples).
    """
    check_length(waveform, FRAME_SAMPLES)
    samples = np.asarray(waveform, np.float32)
    emphasised = np.ascontiguousarray(
        samples[..., 1:] - np.float32(PRE_EMPHASIS) * samples[..., :-1]
    )
    frames = framed(emphasised, WINDOW_SAMPLES, FRAME_HOP_SAMPLES)
    *batch, n_frames, _ = frames.shape
    mel = np.empty((*batch, n_frames, N_MELS), np.float32)
    for index in np.ndindex(*batch):
        for first in range(0, n_frames, N_AT_ONCE):
            block = slice(first, first + N_AT_ONCE)
            _into_mel(frames[(*index, block)], mel[(*index, block)])
    mel += np.float32(POWER_OFFSET)
    np.log(mel, out=mel)
    mel += np.float32(4.5)
    mel /= np.float32(5.0)
    return mel


class _Workspace(threading.local):
    """Arrays of one thread for a block of frames: fresh ones cost more than the transform."""

    def __init__(self) -> None:
        n_bins = FFT_SIZE // 2 + 1
        self.padded = np.zeros((N_AT_ONCE, FFT_SIZE))
        self.spectrum = np.empty((N_AT_ONCE, n_bins), np.complex128)
        self.power = np.empty((N_AT_ONCE, n_bins), np.float32)


_WORKSPACE: Final = _Workspace()


def _into_mel(frames: npt.NDArray[np.float32], mel: npt.NDArray[np.float32]) -> None:
    """Power in the mel bands of up to ``N_AT_ONCE`` frames: float32 [n, 800] -> [n, 128]."""
    n = len(frames)
    padded, power = _WORKSPACE.padded[:n], _WORKSPACE.power[:n]
    spectrum = _WORKSPACE.spectrum[:n]
    np.multiply(frames, _hann(), out=padded[:, :WINDOW_SAMPLES])
    np.fft.rfft(padded, out=spectrum)
    parts = spectrum.view(np.float64)  # real and imaginary ones in turns
    np.square(parts, out=parts)
    np.add(parts[:, 0::2], parts[:, 1::2], out=power, casting="same_kind")
    for part in _mel_parts():
        np.matmul(power[:, part.bins], part.weights, out=mel[:, part.bands])


KALDI_LOG_MEL: Final = FrontEnd(
    sample_rate_hz=SAMPLE_RATE_HZ,
    frame_samples=FRAME_SAMPLES,
    hop_samples=FRAME_HOP_SAMPLES,
    n_frames=N_FRAMES,
    n_bands=N_MELS,
    compute=kaldi_log_mel,
    in_torch="mmgat.model.embedders.torch_front_ends:KaldiLogMel",
)
