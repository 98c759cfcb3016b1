import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmgat.model.labels import INDEX
from mmgat.training.data.published.openmic import read_openmic
from mmgat.training.errors import TrainingDataError

KEYS = ["000046_3840", "000135_483840", "000139_119040", "000141_153600"]


def published(folder: Path, **changes: Any) -> Path:
    """Four clips in the published form: int64 embeddings, keys as objects, splits without header."""
    truth, mask = np.full((4, 20), 0.5), np.zeros((4, 20), bool)
    for clip, label, relevance in [(0, "piano", 0.9), (0, "flute", 0.1), (1, "voice", 0.5)]:
        truth[clip, INDEX[label]], mask[clip, INDEX[label]] = relevance, True
    arrays = {
        "X": np.arange(4)[:, None, None] * np.full((4, 10, 128), 85),
        "Y_true": truth,
        "Y_mask": mask,
        "sample_key": np.array(KEYS, dtype=object),
    } | changes
    np.savez(folder / "openmic-2018.npz", **{k: v for k, v in arrays.items() if v is not None})
    (folder / "partitions").mkdir()
    (folder / "partitions" / "split01_train.csv").write_text("\n".join([KEYS[3], KEYS[0]]) + "\n")
    (folder / "partitions" / "split01_test.csv").write_text("\n".join(KEYS[1:3]) + "\n")
    return folder


def test_a_split_has_its_own_clips_in_its_own_order(tmp_path: Path) -> None:
    bags = read_openmic(published(tmp_path), "train")
    assert bags.embeddings[:, 0, 0].tolist() == pytest.approx([2.0, -2.0])  # 255 and 0 of 8 bits
    assert bags.lengths.tolist() == [10, 10]


def test_a_split_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    folder = published(tmp_path)
    (folder / "partitions" / "split01_test.csv").write_text(KEYS[1] + "\n", "utf-8-sig")
    assert len(read_openmic(folder, "test")) == 1


def test_an_archive_unpacked_in_its_own_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "openmic-2018").mkdir()
    published(tmp_path / "openmic-2018")
    assert len(read_openmic(tmp_path, "train")) == 2


def test_what_nobody_was_asked_about_is_unknown_and_not_absent(tmp_path: Path) -> None:
    bags = read_openmic(published(tmp_path), "train")
    asked = bags.bag_weight[1].nonzero().flatten().tolist()
    assert asked == [INDEX["flute"], INDEX["piano"]]
    assert bags.bag[1, INDEX["piano"]] == 1
    assert bags.bag[1].sum() == 1
    assert not bags.bag_weight[0].any()


def test_a_relevance_of_one_half_that_was_asked_about_is_a_positive(tmp_path: Path) -> None:
    assert read_openmic(published(tmp_path), "test").bag[0, INDEX["voice"]] == 1


def test_keys_that_are_plain_text_are_read_too(tmp_path: Path) -> None:
    assert len(read_openmic(published(tmp_path, sample_key=np.array(KEYS)), "test")) == 2


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("harmed", "w"))


def test_a_pickle_that_would_run_something_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = published(tmp_path, sample_key=np.array([Harmful()] * 4, dtype=object))
    with pytest.raises(TrainingDataError, match="among the sample keys, not a string"):
        read_openmic(folder, "train")
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Y_mask": None}, "unpack openmic-2018"),
        ({"X": np.zeros((4, 9, 128), int)}, r"found \(4, 9, 128\)"),
        ({"X": np.full((4, 10, 128), 256)}, "found X from 256 to 256"),
        ({"sample_key": np.array(KEYS[:3], dtype=object)}, r"X \[3, 10, 128\]"),
        ({"sample_key": np.array([*KEYS[:3], "x"], dtype=object)}, "1 are not there: 000141"),
    ],
)
def test_what_is_not_as_published_is_told(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrainingDataError, match=message):
        read_openmic(published(tmp_path, **changes), "train")


def test_a_clip_in_both_splits_is_told(tmp_path: Path) -> None:
    folder = published(tmp_path)
    (folder / "partitions" / "split01_test.csv").write_text(KEYS[0])
    with pytest.raises(TrainingDataError, match="found 1: 000046_3840"):
        read_openmic(folder, "test")


def test_a_cut_off_file_is_told(tmp_path: Path) -> None:
    path = published(tmp_path) / "openmic-2018.npz"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(TrainingDataError, match="unpack openmic-2018"):
        read_openmic(tmp_path, "train")


def test_a_damaged_member_is_told(tmp_path: Path) -> None:
    path = published(tmp_path) / "openmic-2018.npz"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("X.npy", b"\x93NUMPY")
    with pytest.raises(TrainingDataError, match="unpack openmic-2018"):
        read_openmic(tmp_path, "train")


def test_a_missing_split_is_named(tmp_path: Path) -> None:
    folder = published(tmp_path)
    (folder / "partitions" / "split01_train.csv").unlink()
    with pytest.raises(TrainingDataError, match=r"one a line, in .*split01_train\.csv"):
        read_openmic(folder, "train")
