import librosa
import numpy as np
import pytest

from mmgat.training.features.time_frequency import (
    FRAME,
    HOP,
    SIZE,
    time_frequency_embeddings,
    time_frequency_frames,
)

RATE_HZ = 16_000


def tone(hz: float, seconds: float = 2.0) -> np.ndarray:
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (0.3 * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def test_one_embedding_a_whole_second() -> None:
    assert time_frequency_embeddings(tone(440, 2.7), RATE_HZ).shape == (2, SIZE)
    with pytest.raises(ValueError, match="expected at least 16000 samples, found 8000"):
        time_frequency_embeddings(tone(440, 0.5), RATE_HZ)


def test_silence_is_finite() -> None:
    assert np.isfinite(time_frequency_embeddings(np.zeros(RATE_HZ, np.float32), RATE_HZ)).all()


def test_mel_bands_chroma_and_centroid_follow_the_pitch() -> None:
    low, high = (
        time_frequency_embeddings(tone(440), RATE_HZ)[0],
        time_frequency_embeddings(tone(1760), RATE_HZ)[0],
    )
    assert low[:128].argmax() < high[:128].argmax()
    assert low[141:153].argmax() == high[141:153].argmax() == 9  # both are an A
    assert low[154] == pytest.approx(440 / RATE_HZ, rel=0.1)
    assert high[154] == pytest.approx(1760 / RATE_HZ, rel=0.1)


def test_the_158_features_are_librosas_of_each_second() -> None:
    noise = 0.05 * np.random.default_rng(0).standard_normal(2 * RATE_HZ).astype(np.float32)
    audio = (tone(440) + tone(1234) + noise).astype(np.float32)
    found = time_frequency_frames(audio, RATE_HZ)
    feature = librosa.feature
    for index, second in enumerate(audio.reshape(2, RATE_HZ)):
        of = {"y": second, "sr": RATE_HZ, "n_fft": FRAME, "hop_length": HOP}
        mel = librosa.power_to_db(feature.melspectrogram(**of, n_mels=128), top_db=None)
        magnitude = np.abs(librosa.stft(second, n_fft=FRAME, hop_length=HOP))
        level = feature.rms(S=magnitude, frame_length=FRAME)
        theirs = (
            mel,
            feature.mfcc(S=mel, n_mfcc=13),
            feature.chroma_stft(**of, tuning=0.0),
            librosa.amplitude_to_db(level, top_db=None),
            feature.spectral_centroid(**of) / RATE_HZ,
            feature.spectral_bandwidth(**of) / RATE_HZ,
            feature.spectral_rolloff(**of) / RATE_HZ,
            np.log10(feature.spectral_flatness(y=second, n_fft=FRAME, hop_length=HOP)),
        )
        np.testing.assert_allclose(found[index], np.concatenate(theirs), rtol=1e-4, atol=1e-4)
