from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmgat.model.labels import INDEX
from mmgat.training.data.published.irmas import COVERED, evaluation_clips, training_clips
from mmgat.training.errors import TrainingDataError
from mmgat.training.yard import published
from tests.training.data.published.test_irmas import published as write_irmas
from tests.training.data.published.test_openmic import KEYS
from tests.training.data.published.test_openmic import published as write_openmic


def openmic(folder: Path) -> Path:
    folder.mkdir()
    for index, key in enumerate(KEYS):
        path = folder / "audio" / key[:3] / f"{key}.ogg"
        path.parent.mkdir(parents=True, exist_ok=True)
        tone = np.sin(2 * np.pi * 220 * (index + 1) * np.arange(441_00) / 44_100) / 4
        soundfile.write(path, np.tile(tone, 10), 44_100)
    return write_openmic(folder)


def test_openmic_keeps_its_split_labels_and_mask(tmp_path: Path) -> None:
    yard = published.run("openmic", _data(tmp_path), tmp_path / "yard", report=lambda _: None)
    assert {part: len(yard.labels(part)["seconds"]) for part in ("train", "evaluation")} == {
        "train": 2,
        "evaluation": 2,
    }
    about = yard.labels("train")
    assert about["bag_weight"].sum() == 2  # one clip of this split was asked about, for two labels
    assert about["bag"][:, INDEX["piano"]].sum() == 1
    assert yard.bags("train", "log-mel").lengths.tolist() == [10, 10]


def _data(folder: Path) -> Path:
    openmic(folder / "openmic-2018")
    return folder


def test_of_an_irmas_training_clip_only_the_predominant_label_is_known(tmp_path: Path) -> None:
    write_irmas(tmp_path)
    clip = published.irmas_clips(training_clips(tmp_path))[0].read()
    assert clip.seconds == 3
    assert clip.bag_weight.sum() == clip.bag[INDEX["clarinet"]] == 1


def test_of_an_irmas_test_clip_the_ten_covered_labels_are_known(tmp_path: Path) -> None:
    write_irmas(tmp_path)
    clip = published.irmas_clips(evaluation_clips(tmp_path, incomplete=True))[0].read()
    assert clip.bag_weight.sum() == len(COVERED) == 10
    assert clip.seconds == 5


def test_an_irmas_clip_replaces_the_end_of_one_with_its_label(tmp_path: Path) -> None:
    write_irmas(tmp_path / "irmas")
    clips = published.openmic_clips(openmic(tmp_path / "openmic-2018"), "train")
    joined = published.appended(clips, published.irmas_clips(training_clips(tmp_path / "irmas")))
    by_length = sorted(joined, key=lambda clip: len(clip.paths))
    assert [len(clip.paths) for clip in by_length] == [1, 2]
    longer = by_length[1]
    assert longer.paths[1].parent.name == "pia"
    read = longer.read()
    assert read.audio.shape == (2, 160_000)
    assert read.bag.tolist() == longer.bag.tolist()


def test_missing_audio_is_named(tmp_path: Path) -> None:
    folder = openmic(tmp_path / "openmic-2018")
    next((folder / "audio").rglob(f"{KEYS[0]}.ogg")).unlink()
    with pytest.raises(TrainingDataError, match=f"{KEYS[0]}.ogg"):
        published.openmic_clips(folder, "train")
