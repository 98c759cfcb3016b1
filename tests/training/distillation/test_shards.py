from pathlib import Path

import numpy as np
import pytest

from mmgat.model.labels import INDEX
from mmgat.training.distillation import shards
from mmgat.training.distillation.teachers import TeacherFiles
from mmgat.training.errors import TrainingDataError
from mmgat.training.synthesis.mixtures import ClipMaker


def test_finished_shards_are_kept_and_missing_ones_made(
    data: Path, teachers: TeacherFiles, yamnet_classes: Path, cache: Path
) -> None:
    run = {"n_train": 4, "n_validation": 2, "clips_a_shard": 2, "workers": 1}
    assert shards.run(data, teachers, yamnet_classes, cache, **run) == 3
    first, second = shards.shard_paths(cache, "train")
    content, stamp = second.read_bytes(), first.stat().st_mtime_ns
    second.unlink()
    shards.run(data, teachers, yamnet_classes, cache, **run)
    assert first.stat().st_mtime_ns == stamp
    assert np.array_equal(
        np.load(second)["labels"], shards.read_shards(cache, "train")["labels"][2:]
    )
    assert second.read_bytes()[:4] == content[:4]

    joined = shards.read_shards(cache, "train")
    assert joined["log_mel"].shape == (4, 2, 10, 96, 64)
    assert joined["yamnet"].shape == (4, 10, 521)
    assert joined["mn04"].shape == (4, 527)
    assert joined["mn04_embedding"].shape == (4, 384)


def test_clips_with_recordings_of_a_source_can_be_left_out(
    data: Path, teachers: TeacherFiles, yamnet_classes: Path, cache: Path
) -> None:
    shards.run(
        data,
        teachers,
        yamnet_classes,
        cache,
        n_train=8,
        n_validation=2,
        clips_a_shard=4,
        workers=1,
    )
    everything = shards.read_shards(cache, "train")
    with_flutist = np.char.find(everything["sources"], " flutist ") >= 0
    assert 0 < with_flutist.sum() < 8
    rest = shards.read_shards(cache, "train", without="flutist")
    np.testing.assert_array_equal(rest["mn04"], everything["mn04"][~with_flutist])


def test_a_label_is_uncertain_only_in_music(data: Path, yamnet_classes: Path) -> None:
    uncertainty = shards.UncertaintyMask(data, yamnet_classes)
    yamnet, mn04 = np.zeros((1, 10, 521), np.float16), np.zeros((1, 527), np.float16)
    drums = uncertainty.columns[0][INDEX["drums"]][0]
    yamnet[0, 2:6, drums] = 0.3
    yamnet[0, 4:8, uncertainty.music[0]] = 0.6
    found = uncertainty(yamnet, mn04)
    assert np.argwhere(found).tolist() == [[0, 4, INDEX["drums"]], [0, 5, INDEX["drums"]]]


def test_train_and_validation_share_no_package_of_sounds(data: Path, cache: Path) -> None:
    train, held_out = (
        {row["package"] for row in ClipMaker(data / "audio", cache, split).sounds}
        for split in ("train", "validation")
    )
    assert train
    assert held_out
    assert not train & held_out


def test_the_same_index_gives_the_same_clip(data: Path, cache: Path):
    one, two = (ClipMaker(data / "audio", cache, "train").clip(5) for _ in range(2))
    np.testing.assert_array_equal(one.audio, two.audio)
    np.testing.assert_array_equal(one.labels, two.labels)


def test_train_and_validation_share_no_music_file(data: Path, cache: Path):
    train, held_out = (
        set(ClipMaker(data / "audio", cache, split).tracks) for split in ("train", "validation")
    )
    assert train
    assert held_out
    assert not train & held_out


def test_without_stems_the_message_says_what_to_run(data: Path, cache: Path):
    (cache / "stems.json").unlink()
    with pytest.raises(TrainingDataError, match="run collect and render first"):
        ClipMaker(data / "audio", cache, "train")


def test_clips_of_one_kind_only_are_made_if_asked(data: Path, cache: Path) -> None:
    maker = ClipMaker(data / "audio", cache, "train", only="silence")
    assert {maker.clip(index).kind for index in range(6)} == {"silence"}
