"""Musical texture features (Reghunath & Rajan 2022), and the handcrafted ones of the SVM.

Texture: 13 MFCC, spectral centroid, bandwidth, RMS, roll-off and 12 chroma, frames of 40 ms, hop 10 ms:
29 a frame. Handcrafted, our reconstruction of Bosch et al. 2012 after Fuhrmann: 13 MFCC, 7 contrast,
centroid, bandwidth, two roll-offs, flatness, flux, zero crossings, RMS, 12 chroma, onset strength: 41.
librosa computes them.
"""

from __future__ import annotations

from typing import Final

import librosa
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

N_HANDCRAFTED: Final = 41


def texture_frames(audio: Array, rate_hz: int) -> Array:
    """Mono audio [..., T] -> float32 [..., 29, frames]."""
    frame, hop = rate_hz * 40 // 1000, rate_hz // 100
    magnitude = np.abs(librosa.stft(audio, n_fft=frame, hop_length=hop))
    power = magnitude**2
    mel = librosa.feature.melspectrogram(S=power, sr=rate_hz, n_fft=frame, n_mels=64)
    parts = (
        librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None), n_mfcc=13),
        librosa.feature.spectral_centroid(S=magnitude, sr=rate_hz),
        librosa.feature.spectral_bandwidth(S=magnitude, sr=rate_hz),
        librosa.feature.rms(S=magnitude, frame_length=frame),
        librosa.feature.spectral_rolloff(S=magnitude, sr=rate_hz),
        librosa.feature.chroma_stft(S=power, sr=rate_hz, n_fft=frame, tuning=0.0),
    )
    return np.concatenate(parts, axis=-2).astype(np.float32)


def texture(audio: Array, rate_hz: int) -> Array:
    """Mono audio float32 [T] -> [T // rate_hz, 58]: mean and deviation of every second."""
    seconds = audio[: len(audio) // rate_hz * rate_hz].reshape(-1, rate_hz)
    frames = texture_frames(seconds, rate_hz)
    return np.concatenate([frames.mean(axis=-1), frames.std(axis=-1)], axis=-1)


def handcrafted_frames(audio: Array, rate_hz: int) -> Array:
    """Mono audio float32 [..., T] -> [..., 41, frames], frames of 46 ms that overlap by half."""
    frame = round(rate_hz * 0.046) // 2 * 2
    hop = frame // 2
    magnitude = np.abs(librosa.stft(audio, n_fft=frame, hop_length=hop))
    power = magnitude**2
    mel = librosa.power_to_db(
        librosa.feature.melspectrogram(S=power, sr=rate_hz, n_fft=frame, n_mels=64), top_db=None
    )
    of_spectrum = {"S": magnitude, "sr": rate_hz, "n_fft": frame}
    rise = np.maximum(0.0, np.diff(magnitude, axis=-1, prepend=magnitude[..., :1]))
    rows = (
        librosa.feature.mfcc(S=mel, n_mfcc=13),
        librosa.feature.spectral_contrast(**of_spectrum),
        librosa.feature.spectral_centroid(**of_spectrum),
        librosa.feature.spectral_bandwidth(**of_spectrum),
        librosa.feature.spectral_rolloff(**of_spectrum, roll_percent=0.85),
        librosa.feature.spectral_rolloff(**of_spectrum, roll_percent=0.95),
        librosa.feature.spectral_flatness(S=magnitude),
        rise.sum(axis=-2, keepdims=True),
        librosa.feature.zero_crossing_rate(audio, frame_length=frame, hop_length=hop),
        librosa.feature.rms(S=magnitude, frame_length=frame),
        librosa.feature.chroma_stft(S=power, sr=rate_hz, n_fft=frame, tuning=0.0),
        librosa.onset.onset_strength(S=mel, sr=rate_hz)[..., None, :],
    )
    return np.concatenate(rows, axis=-2).astype(np.float32)


def handcrafted(channels: Array, rate_hz: int) -> Array:
    """Stereo audio float32 [2, T] -> [328]: mean and deviation of features and of their differences.

    The first half is of the middle, L + R, the second of the side, L - R, as Bosch et al. split the
    panorama; the side of a mono recording is silent, so its half says nothing.
    """
    both = (channels[0] + channels[1]) / 2, (channels[0] - channels[1]) / 2
    return np.concatenate([_moments(channel, rate_hz) for channel in both])


def handcrafted_seconds(audio: Array, rate_hz: int) -> Array:
    """Mono audio float32 [T] -> [T // rate_hz, 164]: the first half of ``handcrafted``, a second."""
    seconds = audio[: len(audio) // rate_hz * rate_hz].reshape(-1, rate_hz)
    return _moments(seconds, rate_hz)


def _moments(audio: Array, rate_hz: int) -> Array:
    """Mono audio float32 [..., T] -> [..., 164]."""
    frames = handcrafted_frames(audio, rate_hz)
    change = np.diff(frames, axis=-1)
    parts = frames.mean(axis=-1), frames.std(axis=-1), change.mean(axis=-1), change.std(axis=-1)
    return np.concatenate(parts, axis=-1)
