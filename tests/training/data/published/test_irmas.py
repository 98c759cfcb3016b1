from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from mmgat.model.labels import INDEX, LABELS
from mmgat.training.data.published.irmas import (
    COVERED,
    IrmasClip,
    embed_clips,
    hold_out,
    training_clips,
)
from mmgat.training.data.published.irmas import evaluation_clips as all_test_clips
from mmgat.training.errors import TrainingDataError

RATE = 44_100
TRAINING = [
    "cla/[cla][cla]0189__2.wav",
    "cla/[cla][cla]0189__3.wav",
    "gel/[gel][dru][pop_roc]0871__1.wav",
    "pia/125__[pia][nod][cla]1389__3.wav",
]
TEST = [  # folders and names as in mirdata's index of IRMAS 1.0
    ("IRMAS-TestingData-Part1/Part1/02 - Samba-4", 5, "gac\t\ngel\t\n"),
    ("IRMAS-TestingData-Part2/IRTestingData-Part2/Yngwie Malmsteen - Gimme-4", 5, "gel\t\n"),
    ("IRMAS-TestingData-Part3/Part3/(01) Truth-2", 7.3, "voi\t\npia\t\n"),
]


def wav(path: Path, seconds: float, level: float = 0.3, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = level * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    soundfile.write(path, np.stack([tone, tone], 1), rate, subtype="PCM_16")


def published(folder: Path) -> None:
    """Four training clips and a test clip of each part, in the published layout."""
    for name in TRAINING:
        wav(folder / "IRMAS-TrainingData" / name, 3)
    for name, seconds, table in TEST:
        path = folder / f"{name}.wav"
        wav(path, seconds)
        path.with_suffix(".txt").write_text(table)


@pytest.fixture
def irmas(tmp_path: Path) -> Path:
    published(tmp_path)
    return tmp_path


def clips_of_the_test_set(folder: Path) -> list[IrmasClip]:
    return all_test_clips(folder, incomplete=True)


class Loudest:
    """An embedder whose embedding is the largest log-mel value of its example."""

    name, variant = "vggish", "loudest"

    def __call__(self, log_mel: Tensor) -> Tensor:
        return log_mel.amax((1, 2))[:, None].expand(-1, 128)


def test_the_folder_tells_a_clarinet_from_the_classical_genre(irmas: Path) -> None:
    labels = {clip.path.name: clip.labels for clip in training_clips(irmas)}
    assert labels["[cla][cla]0189__2.wav"] == ("clarinet",)
    assert labels["125__[pia][nod][cla]1389__3.wav"] == ("piano",)


def test_the_excerpts_of_a_recording_share_its_number(irmas: Path) -> None:
    assert [clip.recording for clip in training_clips(irmas)] == ["0189", "0189", "0871", "1389"]


def test_both_guitars_are_one_label_and_lines_may_end_in_tabs(irmas: Path) -> None:
    assert [clip.labels for clip in clips_of_the_test_set(irmas)] == [
        ("guitar",),
        ("guitar",),
        ("piano", "voice"),
    ]


def test_of_an_incomplete_test_set_each_part_is_counted_and_nothing_is_scored(irmas: Path) -> None:
    counts = r"found 3 \(IRMAS-TestingData-Part1: 1, .*Part2: 1, .*Part3: 1\)"
    with pytest.raises(TrainingDataError, match=f"expected the 2874 test clips .*{counts}"):
        all_test_clips(irmas)


def test_labels_with_a_byte_order_mark_are_read(irmas: Path) -> None:
    (irmas / f"{TEST[0][0]}.txt").write_text("cel\n", "utf-8-sig")
    assert clips_of_the_test_set(irmas)[0].labels == ("cello",)


@pytest.mark.parametrize("seed", range(5))
def test_no_recording_is_both_trained_on_and_held_out(irmas: Path, seed: int) -> None:
    train, held_out = hold_out(training_clips(irmas), share=0.34, seed=seed)
    assert not {clip.recording for clip in train} & {clip.recording for clip in held_out}
    assert len(train) + len(held_out) == 4
    assert held_out


def test_a_training_clip_says_its_label_and_nothing_of_others(irmas: Path) -> None:
    bags = embed_clips(training_clips(irmas), Loudest())
    assert [[LABELS[i] for i in bag.nonzero()] for bag in bags.bag] == [
        ["clarinet"], ["clarinet"], ["guitar"], ["piano"]
    ]  # fmt: skip
    assert torch.equal(bags.bag, bags.bag_weight)


def test_in_a_test_clip_the_ten_covered_labels_are_known_and_the_others_are_not(
    irmas: Path,
) -> None:
    bags = embed_clips(clips_of_the_test_set(irmas), Loudest())
    known = [LABELS[i] for i in bags.bag_weight[0].nonzero()]
    assert known == list(COVERED)
    assert len(known) == 10
    assert not bags.bag_weight[:, INDEX["drums"]].any()


def test_k_seconds_give_k_embeddings_and_the_rest_is_padding(irmas: Path) -> None:
    assert embed_clips(training_clips(irmas), Loudest()).lengths.tolist() == [3, 3, 3, 3]
    bags = embed_clips(clips_of_the_test_set(irmas), Loudest())
    assert bags.lengths.tolist() == [5, 5, 7]
    assert not bags.embeddings[0, 5:].any()


def test_the_level_of_a_recording_does_not_matter(tmp_path: Path) -> None:
    for name, level in (("loud", 0.9), ("quiet", 0.05)):
        wav(tmp_path / f"{name}.wav", 3, level)
    clips = [
        IrmasClip(tmp_path / f"{name}.wav", ("piano",), name, True) for name in ("loud", "quiet")
    ]
    loud, quiet = embed_clips(clips, Loudest()).embeddings
    assert torch.allclose(loud, quiet, atol=1e-2)


def test_cached_embeddings_are_read_and_not_made_again(irmas: Path) -> None:
    clips, cache = training_clips(irmas), irmas / "embeddings.npz"
    first = embed_clips(clips, Loudest(), cache)
    for clip in clips:
        clip.path.unlink()
    again = embed_clips(clips, Loudest(), cache)
    assert torch.equal(again.embeddings, first.embeddings)
    assert torch.equal(again.bag, first.bag)


def test_a_cache_of_other_clips_is_refused(irmas: Path) -> None:
    clips, cache = training_clips(irmas), irmas / "embeddings.npz"
    embed_clips(clips, Loudest(), cache)
    with pytest.raises(TrainingDataError, match="delete the file to make them again"):
        embed_clips(clips[:2], Loudest(), cache)


def test_a_name_that_disagrees_with_its_folder_is_told(irmas: Path) -> None:
    wav(irmas / "IRMAS-TrainingData" / "cel" / "[flu][cla]0001__1.wav", 3)
    with pytest.raises(TrainingDataError, match=r"found .*cel/\[flu\]\[cla\]0001__1\.wav"):
        training_clips(irmas)


@pytest.mark.parametrize("table", ["", "drums\t\n"])
def test_unknown_or_missing_codes_are_told(irmas: Path, table: str) -> None:
    path = irmas / "IRMAS-TestingData-Part1" / "Part1" / "02 - Samba-4.txt"
    path.write_text(table)
    with pytest.raises(TrainingDataError, match=r"expected codes of cel, cla.* found"):
        clips_of_the_test_set(irmas)


def test_a_test_clip_without_labels_is_told(irmas: Path) -> None:
    (irmas / "IRMAS-TestingData-Part1" / "Part1" / "02 - Samba-4.txt").unlink()
    with pytest.raises(TrainingDataError, match=r"expected labels in .*Samba-4\.txt"):
        clips_of_the_test_set(irmas)


def test_a_damaged_recording_is_told(irmas: Path) -> None:
    clip = training_clips(irmas)[0]
    clip.path.write_bytes(b"RIFF")
    with pytest.raises(TrainingDataError, match="expected a WAV file"):
        embed_clips([clip], Loudest())


def test_too_short_a_recording_is_told(tmp_path: Path) -> None:
    wav(tmp_path / "short.wav", 0.9)
    with pytest.raises(TrainingDataError, match=r"at least 0.975 s .* found 0.900 s"):
        embed_clips([IrmasClip(tmp_path / "short.wav", ("piano",), "1", True)], Loudest())


@pytest.mark.parametrize("read", [training_clips, clips_of_the_test_set])
def test_an_empty_folder_says_what_to_unpack(tmp_path: Path, read: object) -> None:
    with pytest.raises(TrainingDataError, match="unpack"):
        read(tmp_path)  # type: ignore[operator]
