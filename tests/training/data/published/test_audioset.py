from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmgat.model.labels import LABELS
from mmgat.training.data.published.audioset import COLUMNS, MUSIC_COLUMNS, read_audioset
from mmgat.training.data.published.audioset_names import LABEL_NAMES
from mmgat.training.errors import TrainingDataError


def published(path: Path, **changes: Any) -> Path:
    """Three clips in the published form: a piano, speech, and a flute of four embeddings."""
    labels = np.zeros((3, 527), bool)
    labels[0, 154] = True  # Electric piano
    labels[1, 0] = True  # Speech
    labels[2, 196] = True  # Flute
    arrays = {
        "features": np.full((3, 10, 128), 255, np.uint8),
        "lengths": np.array([10, 10, 4], np.uint8),
        "labels": np.packbits(labels, axis=1),
    } | changes
    np.savez(path, **arrays)
    return path


def test_embeddings_are_centred_padded_and_labelled(tmp_path: Path) -> None:
    bags = read_audioset(published(tmp_path / "embeddings.npz"))
    assert [[LABELS[i] for i in bag.nonzero()] for bag in bags.bag] == [["piano"], [], ["flute"]]
    assert bags.lengths.tolist() == [10, 10, 4]
    assert bags.embeddings[2, :4].unique().tolist() == [2.0]
    assert not bags.embeddings[2, 4:].any()
    assert not bags.instance_weight.any()
    assert bags.tags.nonzero().tolist() == [[0, 154], [1, 0], [2, 196]]


def test_only_clips_with_a_label_of_music_are_music(tmp_path: Path) -> None:
    assert len(read_audioset(published(tmp_path / "embeddings.npz"), music_only=True)) == 2


def test_every_label_has_a_column_for_each_of_its_names_and_all_are_music() -> None:
    assert {label: len(columns) for label, columns in COLUMNS.items()} == {
        label: len(names) for label, names in LABEL_NAMES.items()
    }
    assert {column for columns in COLUMNS.values() for column in columns} <= set(MUSIC_COLUMNS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": np.zeros((3, 10, 64), np.uint8)}, r"found \(3, 10, 64\)"),
        ({"lengths": np.array([10, 11, 4], np.uint8)}, "lengths .n. of 1 to N"),
        ({"labels": np.zeros((3, 527), np.uint8)}, r"\[n, 66\], found .*\(3, 527\)"),
    ],
)
def test_what_is_not_as_published_is_told(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrainingDataError, match=message):
        read_audioset(published(tmp_path / "embeddings.npz", **changes))


def test_missing_and_damaged_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"expected AudioSet embeddings in .*nosuch\.npz"):
        read_audioset(tmp_path / "nosuch.npz")
    damaged = published(tmp_path / "embeddings.npz")
    damaged.write_bytes(damaged.read_bytes()[:300])
    with pytest.raises(TrainingDataError, match="expected AudioSet embeddings"):
        read_audioset(damaged)
