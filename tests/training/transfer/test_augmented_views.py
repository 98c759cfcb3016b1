import numpy as np
import pytest

from mmgat.model.embedders.kaldi_mel import KALDI_LOG_MEL, kaldi_log_mel
from mmgat.training.transfer.augmented_views import augment, onset, windows
from mmgat.training.transfer.clips import (
    CLIP_SAMPLES,
    LEAD,
    N_NODES,
    Clip,
    Part,
    at_level,
    mix,
    node_levels,
)

RATE = 32_000


def tone(begin_s: float = 0.0, end_s: float = 12.0, loudness: float = 0.1) -> np.ndarray:
    time = np.arange(CLIP_SAMPLES) / RATE
    sound = loudness * np.sin(2 * np.pi * 440 * time)
    nodes_s = time - LEAD / RATE
    return (sound * ((nodes_s >= begin_s) & (nodes_s < end_s))).astype(np.float32)


def test_a_window_holds_the_two_seconds_that_end_with_its_node() -> None:
    audio = np.random.default_rng(0).standard_normal(CLIP_SAMPLES).astype(np.float32)
    heard = windows(audio, begins=False)
    assert heard.shape == (N_NODES, 200, 128)
    ends = LEAD + 4 * RATE
    direct = kaldi_log_mel(audio[ends - KALDI_LOG_MEL.window_samples : ends])
    np.testing.assert_allclose(heard[3], direct, atol=1e-5)


def test_where_a_sound_begins_there_was_silence_before_it() -> None:
    audio = np.random.default_rng(0).standard_normal(CLIP_SAMPLES).astype(np.float32)
    plain, begun = windows(audio, begins=False), windows(audio, begins=True)
    np.testing.assert_allclose(begun[0, :90], begun[0].min())
    np.testing.assert_allclose(begun[2:], plain[2:], atol=1e-5)
    np.testing.assert_allclose(begun[0, -90:], plain[0, -90:], atol=1e-5)


def test_labels_are_those_of_the_seconds_in_which_a_part_is_heard() -> None:
    clip = mix([Part(tone(0, 5), "flute"), Part(tone(3, 12), "violin", frozenset({"cello"}))])
    flute, violin, cello = 7, 18, 3
    assert clip.labels[:, flute].tolist() == [True] * 5 + [False] * 5
    assert clip.labels[:, violin].tolist() == [False] * 3 + [True] * 7
    assert clip.known[0, cello]
    assert not clip.known[6, cello]


def test_of_music_nothing_is_known() -> None:
    assert not mix([Part(tone())], known=False).known.any()


def test_levels_are_those_asked_for_and_silence_stays() -> None:
    assert node_levels(at_level(tone(), -30)).max() == pytest.approx(-30, abs=0.1)
    assert not at_level(np.zeros(CLIP_SAMPLES, np.float32), -30).any()


def test_before_an_onset_nothing_sounds_and_that_is_known() -> None:
    labels = np.zeros((N_NODES, 20), bool)
    labels[:, 7] = True
    for seed in range(8):
        found = onset(Clip(tone(), labels, np.ones_like(labels)), np.random.default_rng(seed))
        begins = int(np.flatnonzero(found.audio)[0])
        silent = [n for n in range(N_NODES) if LEAD + (n + 1) * RATE <= begins]
        assert not found.labels[silent].any()
        assert found.known[silent].all()
        assert found.labels.any()


def test_a_view_keeps_length_and_range_and_silence_is_no_error() -> None:
    for seed in range(6):
        heard = augment(tone(), np.random.default_rng(seed))
        assert heard.shape == (CLIP_SAMPLES,)
        assert heard.dtype == np.float32
        assert np.abs(heard).max() <= 1
        assert np.isfinite(
            augment(np.zeros(CLIP_SAMPLES, np.float32), np.random.default_rng(seed))
        ).all()
