"""158 time-frequency features a second, for the ablation without a learned embedding.

The paper's MMGAT-mel-spectrogram takes the 158-d time-frequency features of Yu et al. (TASLP 2020),
whose make-up is not published. Ours: 128 mel bands in dB, 13 cepstral coefficients, 12 chroma bins,
and level, centroid, bandwidth, roll-off and flatness; librosa computes them.
"""

from __future__ import annotations

from typing import Any, Final

import librosa
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

SIZE: Final = 158
FRAME: Final = 1024
HOP: Final = 500


def time_frequency_frames(audio: Array, rate_hz: int) -> Array:
    """Mono audio float32 [T] -> features [T // rate_hz, 158, frames] of every whole second.

    Raises:
        ValueError: the audio is shorter than one second.
    """
    n_seconds = len(audio) // rate_hz
    if not n_seconds:
        raise ValueError(f"expected at least {rate_hz} samples, found {len(audio)}")
    seconds = audio[: n_seconds * rate_hz].reshape(n_seconds, rate_hz)
    magnitude = np.abs(librosa.stft(seconds, n_fft=FRAME, hop_length=HOP))
    power = magnitude**2
    mel = librosa.power_to_db(
        librosa.feature.melspectrogram(S=power, sr=rate_hz, n_mels=128, n_fft=FRAME), top_db=None
    )
    shape = (
        librosa.amplitude_to_db(librosa.feature.rms(S=magnitude, frame_length=FRAME), top_db=None),
        librosa.feature.spectral_centroid(S=magnitude, sr=rate_hz) / rate_hz,
        librosa.feature.spectral_bandwidth(S=magnitude, sr=rate_hz) / rate_hz,
        librosa.feature.spectral_rolloff(S=magnitude, sr=rate_hz) / rate_hz,
        np.log10(librosa.feature.spectral_flatness(S=magnitude)),
    )
    parts = (
        mel,
        librosa.feature.mfcc(S=mel, n_mfcc=13),
        librosa.feature.chroma_stft(S=power, sr=rate_hz, tuning=0.0),
        *shape,
    )
    return np.concatenate(parts, axis=-2)


def time_frequency_embeddings(audio: Array, rate_hz: int) -> npt.NDArray[np.float32]:
    """Mono audio float32 [T] -> embeddings float32 [T // rate_hz, 158], one a whole second.

    Raises:
        ValueError: the audio is shorter than one second.
    """
    return np.asarray(time_frequency_frames(audio, rate_hz).mean(axis=-1), np.float32)
