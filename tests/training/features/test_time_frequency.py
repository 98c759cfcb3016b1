import numpy as np
import pytest

from mmgat.training.features.time_frequency import SIZE, time_frequency_embeddings

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
