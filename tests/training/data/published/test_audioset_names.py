from pathlib import Path

import numpy as np
import pytest

from mmgat.model.labels import INDEX, LABELS
from mmgat.training.data.published.audioset_names import (
    LABEL_NAMES,
    label_columns,
    music_columns,
    read_class_names,
    to_labels,
)
from mmgat.training.errors import TrainingDataError

CLASS_NAMES = [
    "Speech",
    "Singing",
    "Music",
    *(name for names in LABEL_NAMES.values() for name in names if name != "Singing"),
    "Scary music",
    "Wind",
]


def test_every_label_of_the_vocabulary_has_names():
    assert tuple(LABEL_NAMES) == LABELS


def test_the_map_finds_every_audioset_name():
    columns = label_columns(CLASS_NAMES)
    for label, found in zip(LABELS, columns, strict=True):
        assert tuple(CLASS_NAMES[column] for column in found) == LABEL_NAMES[label]


def test_a_table_without_an_instrument_is_refused_by_name():
    with pytest.raises(TrainingDataError, match="'banjo'"):
        label_columns([name for name in CLASS_NAMES if name != "Banjo"])


def test_music_is_the_music_branch_and_singing_but_not_speech_or_wind():
    names = {CLASS_NAMES[column] for column in music_columns(CLASS_NAMES)}
    assert names == set(CLASS_NAMES) - {"Speech", "Wind"}


def test_a_label_scores_as_its_loudest_class():
    scores = np.zeros((2, len(CLASS_NAMES)))
    scores[1, CLASS_NAMES.index("Hi-hat")] = 0.7
    scores[1, CLASS_NAMES.index("Cymbal")] = 0.2
    labels = to_labels(scores, label_columns(CLASS_NAMES))
    assert labels.shape == (2, 20)
    assert labels[1, INDEX["cymbals"]] == pytest.approx(0.7)
    assert labels.sum() == pytest.approx(0.7)


def test_class_names_are_read_in_column_order(tmp_path: Path):
    table = tmp_path / "classes.csv"
    table.write_text('index,mid,display_name\n0,/m/1,"Violin, fiddle"\n1,/m/2,Banjo\n')
    assert read_class_names(table) == ["Violin, fiddle", "Banjo"]


def test_a_missing_table_is_named(tmp_path: Path):
    with pytest.raises(TrainingDataError, match=r"absent\.csv"):
        read_class_names(tmp_path / "absent.csv")
