import numpy as np
import pytest

from mmgat.model.embedders.kaldi_mel import (
    FRAME_HOP_SAMPLES,
    FRAME_SAMPLES,
    KALDI_LOG_MEL,
    kaldi_log_mel,
    mel_matrix,
)


def test_a_frame_depends_on_its_samples_alone() -> None:
    sound = np.random.default_rng(0).standard_normal(20_000).astype(np.float32)
    frames = kaldi_log_mel(sound)
    assert frames.shape == (1 + (20_000 - FRAME_SAMPLES) // FRAME_HOP_SAMPLES, 128)
    later = sound[10 * FRAME_HOP_SAMPLES :]
    np.testing.assert_allclose(kaldi_log_mel(later), frames[10:], atol=1e-5)


def test_silence_is_the_offset_and_a_tone_rises_in_its_band() -> None:
    silence = kaldi_log_mel(np.zeros(FRAME_SAMPLES, np.float32))
    np.testing.assert_allclose(silence, (np.log(1e-5) + 4.5) / 5, atol=1e-5)
    time = np.arange(4_000) / 32_000
    tone = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    loudest = int(kaldi_log_mel(tone).mean(axis=0).argmax())
    heard = mel_matrix()[:, loudest]
    assert heard[round(1000 / 32_000 * 1024)] > 0.3


def test_the_matrix_is_that_of_kaldi_up_to_15_khz() -> None:
    matrix = mel_matrix()
    assert matrix.shape == (513, 128)
    assert not matrix[-1].any()
    assert matrix.max() <= 1
    assert np.flatnonzero(matrix[:, -1])[-1] * 32_000 / 1024 <= 15_000


def test_two_seconds_are_heard_and_too_little_is_refused() -> None:
    assert KALDI_LOG_MEL.window_samples == 200 * FRAME_HOP_SAMPLES + FRAME_SAMPLES - 320
    with pytest.raises(ValueError, match="at least 801 samples"):
        kaldi_log_mel(np.zeros(800, np.float32))
