"""Autocorrelation tempogram (Grosche, Müller, Kurth 2010), as librosa computes it.

Of every frame of the onset strength, the windowed autocorrelation over 384 lags, divided by its
largest value. One second says nothing: 384 frames are 8.9 s, so it is computed over a whole clip.
"""

from __future__ import annotations

from typing import Final

import librosa
import numpy as np
import numpy.typing as npt

N_LAGS: Final = 384


def tempogram(
    audio: npt.NDArray[np.float32], rate_hz: int, hop: int = 512
) -> npt.NDArray[np.float32]:
    """Mono audio [T] -> float32 [384, 1 + T // hop], equal to ``librosa.feature.tempogram``.

    All frames are transformed at once, and librosa's onset strength is used.
    """
    onset = librosa.onset.onset_strength(y=audio, sr=rate_hz, hop_length=hop)
    half = N_LAGS // 2
    padded = np.pad(onset, (half, half), mode="linear_ramp", end_values=(0, 0))
    windows = np.lib.stride_tricks.sliding_window_view(padded, N_LAGS)[: len(onset)]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_LAGS) / N_LAGS)
    size = 1 << (2 * N_LAGS - 1).bit_length()
    spectrum = np.fft.rfft(windows * hann, size)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, size)[:, :N_LAGS]
    largest = np.abs(correlation).max(axis=1, keepdims=True)
    largest[largest < np.finfo(np.float32).tiny] = 1.0
    return np.ascontiguousarray((correlation / largest).T.astype(np.float32))
