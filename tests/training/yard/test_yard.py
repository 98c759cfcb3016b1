"""A yard of a few made-up players."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mmgat.model.labels import INDEX, LABELS
from mmgat.training.data.yard_store import Yard, weakly_labelled, window_targets
from mmgat.training.errors import TrainingDataError
from mmgat.training.synthesis.sample_bank import Source
from mmgat.training.yard import make
from mmgat.training.yard.clips import make_clip, pan
from mmgat.training.yard.players import PARTS, SOUNDFONTS, Players, divide

SIZES = {"train": 6, "held-out": 3, "evaluation": 3}


def sine(hz: float, seconds: float, rate_hz: int) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)).astype("f4")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    rows = []
    for label, players in {"flute": 4, "piano": 1, "": 1}.items():
        for player in range(players):
            for note in range(6):
                name = f"src{player}/{label or 'sfx'}-{player}-{note}.ogg"
                (folder / "audio" / name).parent.mkdir(parents=True, exist_ok=True)
                sound = sine(220 * (note + 1), 4.0, 16_000)
                soundfile.write(folder / "audio" / name, sound, 16_000)
                split = "validation" if label == "piano" and note > 2 else "train"
                session = f"{label}{player}{split}"
                rows.append([name, split, label, label or "sfx", "note", "yes", session, "CC0", 4])
    with (folder / "audio" / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        head = "path,split,labels,instrument,kind,recorded,session,licence,seconds"
        writer.writerow(head.split(","))
        writer.writerows(rows)
    phrases = folder / "phrases"
    phrases.mkdir()
    soundfile.write(phrases / "a.ogg", sine(330, 4.5, 32_000), 32_000)
    (phrases / "manifest.csv").write_text("path,labels,source\na.ogg,flute+voice,somebody\n")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    (folder / "stems").mkdir()
    rows = []
    for part in PARTS:
        font = SOUNDFONTS[part][0]
        stem = (32_767 * sine(500, 20.0, 32_000)).astype(np.int16)
        np.save(folder / "stems" / f"{font}.npy", stem)
        row = {"program": 0, "label": "organ", "weight": 1.0, "ambiguous": [], "song": None}
        rows.append(row | {"take": 0, "soundfont": font, "cache": f"{font}.npy"})
    (folder / "stems.json").write_text(json.dumps(rows))
    return folder


@pytest.fixture(scope="module")
def yard(data: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Yard:
    folder = tmp_path_factory.mktemp("yard")
    return make.run(data, [], cache, folder, SIZES, report=lambda _: None)


def players_of(label: str, *seconds: float) -> list[Source]:
    return [
        Source(f"s{i}", label, frozenset(), ((0, int(s * 32_000)),), ())
        for i, s in enumerate(seconds)
    ]


def test_no_player_is_in_two_parts() -> None:
    parts = divide(players_of("flute", 100, 20, 30, 40), evaluated=False)
    names = [player.name for part in parts.values() for player in part]
    assert sorted(names) == ["s0", "s1", "s2", "s3"]
    assert all(parts.values())


def test_a_label_with_one_player_is_in_training_alone() -> None:
    parts = divide(players_of("banjo", 100), evaluated=True)
    assert [len(parts[part]) for part in PARTS] == [1, 0, 0]


def test_recordings_and_soundfonts_of_the_parts_are_disjoint(data: Path, cache: Path) -> None:
    heard: list[set[tuple[object, ...]]] = []
    for part in PARTS:
        players = Players(data / "audio", cache, part)
        notes = {
            (id(bank.audio.base) and str(bank.audio.filename), span)
            for label, sources in players.recorded.items() if label
            for bank, source in sources for span in source.notes
        }  # fmt: skip
        fonts = {(row["soundfont"],) for rows in players.stems.values() for row in rows}
        heard.append(notes | fonts)
    assert not heard[0] & heard[1]
    assert not heard[0] & heard[2]
    assert not heard[1] & heard[2]


def test_the_same_index_gives_the_same_clip(data: Path, cache: Path) -> None:
    players = Players(data / "audio", cache, "train")
    one, two = make_clip(players, 4), make_clip(players, 4)
    np.testing.assert_array_equal(one.audio, two.audio)
    assert one.audio.shape == (2, 160_000)
    assert np.abs(one.audio).max() <= 1


def test_panning_keeps_the_power() -> None:
    audio = sine(300, 1.0, 32_000)
    for position in (0.0, 0.3, 0.5, 1.0):
        both = pan(audio, position)
        assert np.isclose((both**2).sum(), 2 * (audio**2).sum(), rtol=1e-4)
    assert np.allclose(pan(audio, 0.0)[1], 0)


def test_the_manifest_has_a_row_a_clip(yard: Yard) -> None:
    rows = list(csv.DictReader((yard.folder / "manifest.csv").open()))
    assert len(rows) == sum(SIZES.values()) + 1
    assert {row["part"] for row in rows} == {*PARTS, "phrases"}


def test_a_stopped_making_goes_on(yard: Yard, data: Path, cache: Path) -> None:
    shard = yard.shards("train")[0]
    before = shard.read_bytes()
    clip = yard.audio("train", 5)
    shard.unlink()
    held_out = yard.shards("held-out")[0].stat().st_mtime_ns
    make.run(data, [], cache, yard.folder, SIZES, report=lambda _: None)
    assert yard.shards("held-out")[0].stat().st_mtime_ns == held_out
    np.testing.assert_array_equal(yard.audio("train", 5), clip)
    assert len(shard.read_bytes()) == len(before)


def test_features_are_computed_once(yard: Yard) -> None:
    first = yard.bags("train", "log-mel")
    file = yard.folder / "features" / "log-mel" / "train-0000.npy"
    written = file.stat().st_mtime_ns
    second = yard.bags("train", "log-mel")
    assert file.stat().st_mtime_ns == written
    torch.testing.assert_close(first.embeddings, second.embeddings)
    assert first.embeddings.shape == (6, 10, 43 * 128)


def test_phrases_are_short_bags_with_all_labels_known(yard: Yard) -> None:
    bags = yard.bags("phrases", "log-mel")
    assert bags.lengths.tolist() == [4]
    assert bags.bag_weight.sum() == 20
    assert [LABELS[i] for i in bags.bag[0].nonzero().flatten()] == ["flute", "voice"]
    assert not bags.instance_weight.any()


def test_a_window_has_the_labels_of_the_seconds_that_it_touches() -> None:
    labels, known = np.zeros((1, 10, 20), bool), np.ones((1, 10, 20), bool)
    labels[0, 3, INDEX["flute"]] = True
    known[0, 8, INDEX["voice"]] = False
    target, weight = window_targets(labels, known, ((0.0, 3.0), (3.5, 6.5), (7.0, 10.0)))
    assert target[0, :, INDEX["flute"]].tolist() == [0, 1, 0]
    assert weight[0, :, INDEX["voice"]].tolist() == [1, 1, 0]


def test_a_long_clip_is_cut_to_ten_seconds() -> None:
    clip = weakly_labelled(np.zeros((2, 300_000), "f4"), np.zeros(20), np.ones(20), "x", "y")
    assert clip.audio.shape == (2, 160_000)
    assert clip.seconds == 10


def test_a_missing_yard_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="mmgat-train yard"):
        Yard(tmp_path).labels("train")


def test_missing_soundfonts_are_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="FluidR3_GM.*fluid-soundfont-gm"):
        make.run(data, [], tmp_path, tmp_path / "out", SIZES)
