from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit

from mmgat.model.embedders.kaldi_mel import kaldi_log_mel
from mmgat.training.data.published.audioset_names import LABEL_NAMES
from mmgat.training.errors import TrainingDataError
from mmgat.training.transfer.audio.mixing import Clips
from mmgat.training.transfer.audio.parts import CLIP_SAMPLES, LEAD, N_NODES
from mmgat.training.transfer.onsets.windows import (
    EXCERPT_SAMPLES,
    HEARD_FRAMES,
    begin,
    onset_windows,
    read,
    targeted,
    view,
)
from mmgat.training.transfer.targets import Calibration, music_log_odds, teacher_logits

RATE = 32_000
FLOOR = (np.log(1e-5) + 4.5) / 5
FLUTE, VIOLIN = 7, 18


def a_clip(begin_s: float = 0.0) -> Clips:
    """A noise from a second on: a flute until the fifth, then a violin."""
    audio = 0.1 * np.random.default_rng(0).standard_normal(CLIP_SAMPLES).astype(np.float32)
    audio[: LEAD + int(begin_s * RATE)] = 0
    labels = torch.zeros(1, N_NODES, 20, dtype=torch.bool)
    labels[:, :5, FLUTE] = labels[:, 5:, VIOLIN] = True
    return Clips(torch.from_numpy(audio)[None], labels, torch.ones_like(labels))


def test_frames_before_the_onset_are_the_floor_and_the_others_are_of_the_sound() -> None:
    audio = a_clip().audio[:, LEAD : LEAD + EXCERPT_SAMPLES]
    heard = kaldi_log_mel(np.concatenate([np.zeros(1, np.float32), audio[0]]))
    windows = onset_windows(audio)[0]
    assert windows.shape == (len(HEARD_FRAMES), 200, 128)
    for window, n_heard in zip(windows.numpy(), HEARD_FRAMES, strict=True):
        np.testing.assert_allclose(window[: 200 - n_heard], FLOOR, atol=1e-6)
        np.testing.assert_allclose(window[200 - n_heard :], heard[:n_heard], atol=1e-4)


def test_a_label_is_known_where_two_seconds_agree() -> None:
    clip = a_clip()
    nodes = set()
    for seed in range(40):
        found = begin(clip, "pieces", np.random.default_rng(seed))
        if found is None:
            continue
        nodes.add(found.node)
        assert found.known[FLUTE] == found.known[VIOLIN] == (found.node != 4)
        assert found.labels[FLUTE] == (found.node < 4)
    assert nodes == {0, 1, 2, 3, 5, 6, 7}  # with the fourth nothing is known to sound


def test_an_excerpt_begins_with_its_second_or_where_the_sound_begins_by_itself() -> None:
    clip = a_clip(2.5)
    audio = clip.audio[0]
    own = int((audio.abs() > 0.002).int().argmax())
    firsts = set()
    for seed in range(60):
        found = begin(clip, "notes", np.random.default_rng(seed))
        if found is not None and found.node == 3:
            place = next(
                first
                for first in (own, LEAD + 3 * RATE)
                if torch.equal(found.audio, audio[first : first + EXCERPT_SAMPLES])
            )
            firsts.add(place)
    assert firsts == {own, LEAD + 3 * RATE}


def test_silence_has_no_onset() -> None:
    clip = a_clip()._replace(audio=torch.zeros(1, CLIP_SAMPLES))
    assert begin(clip, "sounds", np.random.default_rng(0)) is None


def test_a_view_begins_softly_and_keeps_its_length() -> None:
    audio = a_clip().audio[:, LEAD : LEAD + EXCERPT_SAMPLES].expand(4, -1)
    heard = view(audio, np.random.default_rng(0))
    assert heard.shape == audio.shape
    assert not heard[:, 0].any()
    assert heard.any(1).all()
    assert not torch.equal(heard[0], heard[1])


def test_onsets_of_music_are_calibrated_with_other_music() -> None:
    names = [name for group in LABEL_NAMES.values() for name in group]
    names += [f"class {n}" for n in range(527 - len(names))]
    calibration = Calibration(np.full((20, 2), 0.5), np.linspace(-2, 2, 20))
    rng = np.random.default_rng(0)
    other = {
        "teacher_10s": rng.normal(-4, 1, (30, 527)),
        "teacher_4s": rng.normal(-4, 1, (30, 10, 527)),
    }
    part = {
        "middle": np.zeros((2, 7, 1), np.float16),
        "labels": np.zeros((2, 20), bool),
        "known": np.zeros((2, 20), bool),
        "teacher_10s": other["teacher_10s"][:2],
        "teacher_4s": other["teacher_4s"][:2, [3]],
    }
    found = targeted(part, "music", calibration, other, names)
    expected = expit(music_log_odds(teacher_logits(other, names), calibration))[:2, 3]
    assert found.targets.shape == (2, 7, 20)
    np.testing.assert_allclose(found.targets[:, 6], expected, atol=0.02)
    assert found.weights.all()


def test_too_few_parts_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="expected 3 parts of train notes"):
        read(tmp_path, "train", "notes", 3)
