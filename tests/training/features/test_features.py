"""Each feature against its reference."""

import librosa
import numpy as np
import pytest
import pywt
import soxr

from mmgat.model.embedders import slaney_mel
from mmgat.training.embedders.registry import WAVEFORM_EMBEDDERS
from mmgat.training.errors import TrainingDataError
from mmgat.training.features import group_delay, texture, wavelet
from mmgat.training.features.registry import FEATURES, RATE_HZ, feature_kind, windows_of
from mmgat.training.features.tempogram import tempogram


def tones(seconds: float, rate_hz: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    beats = np.sin(2 * np.pi * 2 * time) > 0.9
    sound = np.sin(2 * np.pi * 440 * time) * (0.2 + beats) + 0.05 * rng.standard_normal(len(time))
    return (0.3 * sound).astype(np.float32)


def test_log_mel_is_librosas() -> None:
    audio = tones(1.1, 22_050)
    power = librosa.feature.melspectrogram(
        y=audio, sr=22_050, n_fft=1024, hop_length=512, n_mels=128, center=False
    )
    ours = np.exp(slaney_mel.slaney_log_mel(audio)).T - slaney_mel.LOG_OFFSET
    np.testing.assert_allclose(ours, power, rtol=1e-4, atol=1e-6)


def test_the_tempogram_is_librosas() -> None:
    audio = tones(6.0, RATE_HZ)
    theirs = librosa.feature.tempogram(y=audio, sr=RATE_HZ, hop_length=368, win_length=384)
    np.testing.assert_allclose(tempogram(audio, RATE_HZ, 368), theirs, atol=1e-4)


def test_modified_group_delay_follows_its_formula() -> None:
    frame = tones(0.05, RATE_HZ)[:400].astype(np.float64)
    n = np.arange(len(frame))
    x = np.array([np.sum(frame * np.exp(-2j * np.pi * k * n / 512)) for k in range(512)])
    y = np.array([np.sum(n * frame * np.exp(-2j * np.pi * k * n / 512)) for k in range(512)])
    cepstrum = np.fft.ifft(np.log(np.abs(x) + group_delay.FLOOR)).real
    lifter = np.minimum(np.arange(512), 512 - np.arange(512)) < group_delay.LIFTER
    smooth = np.exp(np.fft.fft(cepstrum * lifter).real)
    tau = (x.real * y.real + x.imag * y.imag) / smooth ** (2 * group_delay.GAMMA)
    expected = (np.sign(tau) * np.abs(tau) ** group_delay.ALPHA)[:64]
    found = group_delay.modified_group_delay(frame, 512, 64)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_texture_features_are_librosas() -> None:
    audio = tones(1.0, RATE_HZ)
    found = texture.texture_frames(audio, RATE_HZ)
    of_frames = {"y": audio, "sr": RATE_HZ, "n_fft": 640, "hop_length": 160}
    theirs = (
        librosa.feature.mfcc(**of_frames, n_mfcc=13, n_mels=64, norm="ortho"),
        librosa.feature.spectral_centroid(**of_frames),
        librosa.feature.spectral_bandwidth(**of_frames),
        librosa.feature.rms(S=np.abs(librosa.stft(audio, n_fft=640, hop_length=160)), frame_length=640),
        librosa.feature.spectral_rolloff(**of_frames),
        librosa.feature.chroma_stft(**of_frames, tuning=0.0),
    )  # fmt: skip
    np.testing.assert_allclose(found[13:], np.concatenate(theirs[1:]), rtol=1e-4, atol=1e-4)
    quiet = theirs[0].shape  # librosa's own MFCC clips at 80 dB below the loudest
    assert found[:13].shape == quiet
    np.testing.assert_allclose(found[:13], theirs[0], rtol=1e-3, atol=0.1)


def test_handcrafted_features_of_a_mono_clip_have_a_silent_side() -> None:
    audio = tones(2.0, RATE_HZ)
    found = texture.handcrafted(np.stack([audio, audio]), RATE_HZ)
    assert found.shape == (8 * texture.N_HANDCRAFTED,)
    side = found[4 * texture.N_HANDCRAFTED :]
    rms = 27  # after MFCC, contrast, centroid, bandwidth, roll-offs, flatness, flux, crossings
    assert side[rms] == 0
    assert found[rms] > 0.01


def test_handcrafted_features_of_seconds_are_those_of_each_alone() -> None:
    audio = tones(2.5, RATE_HZ)
    found = texture.handcrafted_seconds(audio, RATE_HZ)
    alone = [audio[start : start + RATE_HZ] for start in (0, RATE_HZ)]
    expected = [texture.handcrafted(np.stack([x, x]), RATE_HZ)[: found.shape[1]] for x in alone]
    assert found.shape == (2, 4 * texture.N_HANDCRAFTED)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_wavelet_coefficients_are_pywavelets() -> None:
    audio = tones(1.0, RATE_HZ)
    ours = wavelet.coefficients(audio, 160)
    chosen = [22, 27, 32]
    mother = pywt.ContinuousWavelet(f"cmor{wavelet.BANDWIDTH:.12f}-1.0")
    mother.lower_bound, mother.upper_bound = -16.0, 16.0
    scales = RATE_HZ / wavelet.centres()[chosen]
    theirs, _ = pywt.cwt(audio.astype(np.float64), scales, mother, method="fft", precision=16)
    inside = slice(20, 80)  # away from the ends, where the padding differs
    expected = theirs[:, ::160][:, inside]
    # PyWavelets takes differences of the wavelet's integral, which damps it by a sample's width.
    expected = expected / np.sinc(wavelet.centres()[chosen] / RATE_HZ)[:, None]
    error = np.abs(np.abs(ours[chosen][:, inside]) - np.abs(expected)).max()
    assert error < 2e-3 * np.abs(expected).max()


def test_constant_q_windows_are_librosas_of_the_clip() -> None:
    audio = tones(10.0, RATE_HZ)
    found = feature_kind("constant-q").compute(np.stack([audio, audio])).reshape(10, 43, 84)
    at_22050 = soxr.resample(audio, RATE_HZ, 22_050, "HQ").astype(np.float32)
    whole = np.abs(librosa.cqt(at_22050, sr=22_050, hop_length=512, n_bins=84))
    for second in (0, 4, 9):
        start = round(second * 22_050 / 512)
        theirs = 20 * np.log10(np.maximum(whole[:, start : start + 43], 1e-4)).T
        np.testing.assert_allclose(found[second], theirs, atol=1e-4)
    loudest = found[4].mean(0).argmax()
    assert abs(librosa.cqt_frequencies(84, fmin=librosa.note_to_hz("C1"))[loudest] - 440) < 5


def test_a_tone_is_loudest_in_its_own_wavelet() -> None:
    time = np.arange(RATE_HZ) / RATE_HZ
    frames = wavelet.scalogram(np.sin(2 * np.pi * 880 * time).astype(np.float32))
    loudest = wavelet.centres()[frames[50].argmax()]
    assert abs(np.log2(loudest / 880)) < 0.1


@pytest.mark.parametrize("name", sorted(FEATURES.keys() - {"compact", *WAVEFORM_EMBEDDERS}))
def test_features_have_their_shape(name: str) -> None:
    kind = feature_kind(name)
    mono = tones(10.0, RATE_HZ)
    found = kind.compute(np.stack([mono, 0.5 * mono]))
    assert found.shape == (len(kind.spans), int(np.prod(kind.shape)))
    assert np.isfinite(found.astype(np.float16)).all()


def test_live_windows_are_those_of_training() -> None:
    front_end = slaney_mel.SLANEY_LOG_MEL
    audio = tones(10.0, RATE_HZ)
    windows = windows_of(audio, front_end)
    assert windows.shape == (10, front_end.n_frames, front_end.n_bands)


def test_unknown_features_are_refused() -> None:
    with pytest.raises(TrainingDataError, match=r"expected features of log-mel.*found 'loud'"):
        feature_kind("loud")
