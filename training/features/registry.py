"""The features there are: what each system reads of a clip of the yard.

A new one is a function from stereo audio, float32 [2, 160000] at 16 kHz, to windows [N, D], and an
entry here. ``Yard.features`` computes each once and keeps it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import librosa
import numpy as np
import numpy.typing as npt
import soxr
import torch
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from mmgat.model.embedders.base import FrontEnd
from mmgat.model.embedders.kaldi_mel import KALDI_LOG_MEL
from mmgat.model.embedders.log_mel import VGGISH_LOG_MEL
from mmgat.model.embedders.slaney_mel import RAW_WAVEFORM, SLANEY_LOG_MEL, slaney_log_mel
from mmgat.training.embedders.registry import WAVEFORM_EMBEDDERS, loaded, waveform_embedder
from mmgat.training.errors import TrainingDataError
from mmgat.training.features.group_delay import modified_group_delay
from mmgat.training.features.tempogram import tempogram
from mmgat.training.features.texture import handcrafted, handcrafted_seconds, texture
from mmgat.training.features.time_frequency import time_frequency_embeddings, time_frequency_frames
from mmgat.training.features.wavelet import scalogram

Array = npt.NDArray[np.float32]

RATE_HZ: Final = 16_000
CLIP_S: Final = 10
SECONDS: Final = tuple((float(second), float(second + 1)) for second in range(CLIP_S))
WHOLE: Final = ((0.0, float(CLIP_S)),)
THREE: Final = ((0.0, 3.0), (3.5, 6.5), (7.0, 10.0))
IMAGE: Final = 128
"""Rows and columns of an image."""


@dataclass(frozen=True)
class FeatureKind:
    """One kind of features.

    Attributes:
        name: of the features in a recipe's ``embeddings``.
        shape: of one window, flattened to D in the bags.
        spans: first and last moment of each of the N windows, in seconds.
        compute: float32 [2, 160000] -> [N, D].
        front_end: that computes the same in a live stream, if there is one.
        of_seconds: float32 [T] at 16 kHz -> [T // 16000, D], if every second is read by itself.
        standardised: each number by its mean and deviation in the training part, within 5.
    """

    name: str
    shape: tuple[int, ...]
    spans: tuple[tuple[float, float], ...]
    compute: Callable[[Array], Array]
    front_end: FrontEnd | None = None
    of_seconds: Callable[[Array], Array] | None = None
    standardised: bool = False


def _middle(stereo: Array) -> Array:
    middle: Array = stereo.mean(axis=0)
    return middle


def windows_of(audio: Array, front_end: FrontEnd) -> Array:
    """Windows that end with their second, or begin with it if they are shorter: [10, frames, bands].

    Args:
        audio: mono float32 [160000] at 16 kHz.
        front_end: reads the windows; before the clip there was silence.
    """
    rate_hz = front_end.sample_rate_hz
    if rate_hz != RATE_HZ:
        audio = soxr.resample(audio, RATE_HZ, rate_hz, "HQ").astype(np.float32)
    audio = np.pad(audio, (0, max(0, CLIP_S * rate_hz - len(audio))))[: CLIP_S * rate_hz]
    lead, length = front_end.lead_samples, front_end.window_samples
    padded = np.pad(audio, (lead, 0))
    starts = rate_hz * np.arange(CLIP_S)
    return front_end.examples(np.stack([padded[start : start + length] for start in starts]))


def _windows(stereo: Array, front_end: FrontEnd) -> Array:
    return windows_of(_middle(stereo), front_end).reshape(CLIP_S, -1)


def _image(rows: Array) -> Array:
    """Resizes [bands, frames] to 128 x 128: the mean of what falls together, or linear between."""
    picture = torch.from_numpy(np.ascontiguousarray(rows))[None, None]
    if min(rows.shape) >= IMAGE:
        return np.asarray(adaptive_avg_pool2d(picture, IMAGE)[0, 0].numpy())
    return np.asarray(
        interpolate(picture, (IMAGE, IMAGE), mode="bilinear", align_corners=False)[0, 0].numpy()
    )


def _mel_image(audio: Array) -> Array:
    at_22050 = soxr.resample(audio, RATE_HZ, 22_050, "HQ").astype(np.float32)
    return _image(slaney_log_mel(at_22050).T)


def _tempogram_clip(audio: Array) -> Array:
    return tempogram(audio, RATE_HZ, 368)


def group_delay_frames(audio: Array) -> Array:
    """Signed root of the modified group delay up to 4 kHz, rows standardised: [256, frames].

    Frames of 50 ms, hop 10 ms, as Voting-Swin-T has them.
    """
    frame, hop = RATE_HZ // 20, RATE_HZ // 100
    frames = np.lib.stride_tricks.sliding_window_view(audio, frame)[::hop] * np.hamming(frame)
    delay = modified_group_delay(frames, 1024, 256).T
    root = np.sign(delay) * np.sqrt(np.abs(delay))
    mean, deviation = root.mean(axis=1, keepdims=True), root.std(axis=1, keepdims=True)
    return np.asarray((root - mean) / (deviation + 1e-3), np.float32)


def _swin_images(stereo: Array) -> Array:
    audio = _middle(stereo)
    images = (
        _mel_image(audio),
        _image(group_delay_frames(audio)),
        _image(_tempogram_clip(audio)),
    )
    return np.stack(images).reshape(1, -1)


def _mel_and_tempogram(stereo: Array) -> Array:
    """Three segments of three seconds, log-mel and tempogram each 128 x 128."""
    audio = _middle(stereo)
    at_22050 = soxr.resample(audio, RATE_HZ, 22_050, "HQ").astype(np.float32)
    mel, beats = slaney_log_mel(at_22050).T, _tempogram_clip(audio)
    found = []
    for start, end in THREE:
        cut = [
            rows[:, int(start / CLIP_S * rows.shape[1]) : int(end / CLIP_S * rows.shape[1])]
            for rows in (mel, beats)
        ]
        found.append(np.stack([_image(rows) for rows in cut]))
    return np.stack(found).reshape(len(THREE), -1)


def _time_frequency(stereo: Array) -> Array:
    return time_frequency_embeddings(_middle(stereo), RATE_HZ)


def _time_frequency_frames(audio: Array) -> Array:
    frames = time_frequency_frames(audio, RATE_HZ)  # [seconds, 158, frames]
    return np.asarray(np.nan_to_num(frames), np.float32).reshape(len(frames), -1)


def _raw_stereo(stereo: Array) -> Array:
    """Seconds of both channels at 44.1 kHz, [10, 2 * 44100]; nothing is heard above 8 kHz."""
    audio = soxr.resample(stereo.T, RATE_HZ, 44_100, "HQ").astype(np.float32)
    seconds = audio[: CLIP_S * 44_100].reshape(CLIP_S, 44_100, 2)
    return np.ascontiguousarray(seconds.transpose(0, 2, 1)).reshape(CLIP_S, -1)


def _constant_q(stereo: Array) -> Array:
    """84 bins of librosa's constant-Q transform in dB, 43 frames a second."""
    audio = soxr.resample(_middle(stereo), RATE_HZ, 22_050, "HQ").astype(np.float32)
    level = librosa.amplitude_to_db(np.abs(librosa.cqt(audio, sr=22_050)), top_db=None, amin=1e-4)
    starts = [round(second * 22_050 / 512) for second in range(CLIP_S)]
    return np.stack([level[:, start : start + 43].T.ravel() for start in starts]).astype(np.float32)


def _scalogram(stereo: Array) -> Array:
    frames = scalogram(_middle(stereo))  # [1000, 64]
    return frames.reshape(CLIP_S, 100, 64)[:, :96].reshape(CLIP_S, -1)


@cache
def _embedder(name: str) -> tuple[FrontEnd, Any]:
    from mmgat.model.checkpoint import load_checkpoint
    from mmgat.model.embedders.registry import spec_of

    checkpoint = load_checkpoint(name)
    return spec_of(checkpoint.card).front_end, checkpoint.embedder()


def _embedded(stereo: Array, name: str) -> Array:
    front_end, embedder = _embedder(name)
    frames = windows_of(_middle(stereo), front_end)
    with torch.inference_mode():
        return np.asarray(embedder(torch.from_numpy(frames)).numpy())


def _of_others(stereo: Array, name: str, weights: Path | None) -> Array:
    embedder = waveform_embedder(name)
    return embedder.seconds(_middle(stereo), RATE_HZ, loaded(name, weights))


def of_embedder(name: str, weights: Path | None = None) -> FeatureKind:
    """Features by an embedder of others.

    Args:
        name: of the embedder, see ``mmgat.training.embedders.registry``.
        weights: the user's file; downloaded ones if not given.

    Raises:
        TrainingDataError: there is no such embedder.
    """
    embedder = waveform_embedder(name)
    compute = partial(_of_others, name=name, weights=weights)
    standardised = not embedder.has_logits
    return FeatureKind(name, (embedder.size,), SECONDS, compute, standardised=standardised)


def _of_front_end(name: str, front_end: FrontEnd) -> FeatureKind:
    shape = (front_end.n_frames, front_end.n_bands)
    compute = partial(_windows, front_end=front_end)
    return FeatureKind(name, shape, SECONDS, compute, front_end)


def _of_seconds(
    name: str, shape: tuple[int, ...], of_seconds: Callable[[Array], Array]
) -> FeatureKind:
    return FeatureKind(
        name, shape, SECONDS, lambda stereo: of_seconds(_middle(stereo)), of_seconds=of_seconds
    )


N_FRAMES_158: Final = 33

_ALL: Final = (
    _of_front_end("log-mel", SLANEY_LOG_MEL),
    _of_front_end("log-mel-64", VGGISH_LOG_MEL),
    _of_front_end("raw", RAW_WAVEFORM),
    FeatureKind("raw-stereo", (2, 44_100), SECONDS, _raw_stereo),
    FeatureKind("time-frequency", (158,), SECONDS, _time_frequency, standardised=True),
    _of_seconds("time-frequency-frames", (158, N_FRAMES_158), _time_frequency_frames),
    _of_seconds("texture", (58,), partial(texture, rate_hz=RATE_HZ)),
    _of_seconds("handcrafted-seconds", (164,), partial(handcrafted_seconds, rate_hz=RATE_HZ)),
    FeatureKind("handcrafted", (328,), WHOLE, lambda stereo: handcrafted(stereo, RATE_HZ)[None]),
    FeatureKind("three-images", (3, IMAGE, IMAGE), WHOLE, _swin_images),
    FeatureKind("mel-and-tempogram", (2, IMAGE, IMAGE), THREE, _mel_and_tempogram),
    FeatureKind("constant-q", (43, 84), SECONDS, _constant_q),
    FeatureKind("scalogram", (96, 64), SECONDS, _scalogram),
    FeatureKind("compact", (181,), SECONDS, partial(_embedded, name="compact"), KALDI_LOG_MEL),
    *(of_embedder(name) for name in WAVEFORM_EMBEDDERS),
)

FEATURES: Final = {kind.name: kind for kind in _ALL}
"""name -> features."""


def feature_kind(name: str) -> FeatureKind:
    """Returns the features of that name.

    Raises:
        TrainingDataError: there are none; the message lists those there are.
    """
    if name not in FEATURES:
        raise TrainingDataError(f"expected features of {', '.join(FEATURES)}, found {name!r}")
    return FEATURES[name]
