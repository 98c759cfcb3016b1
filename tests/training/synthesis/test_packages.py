import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmgat.training.errors import TrainingDataError
from mmgat.training.synthesis import packages
from mmgat.training.synthesis.augment import augment

COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: someone
License: GPL-2+

Files: music/*.flac
Copyright: a composer
License: CC0-1.0
"""


def package(root: Path) -> Path:
    folder = root / "game-music"
    (folder / "usr/share/doc/game-music").mkdir(parents=True)
    (folder / "usr/share/doc/game-music/copyright").write_text(COPYRIGHT)
    music = folder / "usr/share/games/music"
    music.mkdir(parents=True)
    long, short = np.zeros((8000 * 21, 2)), np.zeros(8000)
    soundfile.write(music / "theme.flac", long, 8000)
    soundfile.write(music / "click.wav", short, 8000)
    with zipfile.ZipFile(folder / "usr/share/games/data.pk3", "w") as archive:
        archive.write(music / "theme.flac", "intro.flac")
    return folder


def test_music_is_found_in_folders_and_archives_with_its_licence(tmp_path: Path):
    package(tmp_path / "in")
    packages.run(tmp_path / "in", tmp_path / "cache", workers=1)
    sources = json.loads((tmp_path / "cache/sources.json").read_text())
    assert {row["file"]: row["licence"] for row in sources} == {
        "intro.flac": "GPL-2+",
        "usr/share/games/music/theme.flac": "CC0-1.0",
    }
    cached = np.load(tmp_path / "cache/music" / sources[0]["cache"])
    assert cached.dtype == np.int16
    assert cached.shape == (21 * 32_000,)


def test_short_sounds_of_a_folder_become_one_track(tmp_path: Path):
    effects = tmp_path / "in/game/usr/share/game/effects"
    effects.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(4):
        soundfile.write(effects / f"{number}.wav", rng.uniform(-0.5, 0.5, 8000 * 6), 8000)
    soundfile.write(effects / "click.wav", np.zeros(400), 8000)
    (effects / "damaged.ogg").write_bytes(b"OggS")
    (source,) = packages.run(tmp_path / "in", tmp_path / "cache", workers=1)
    assert source["file"] == "usr/share/game/effects/*"
    cached = np.load(tmp_path / "cache/music" / source["cache"])
    assert cached.shape == (4 * (6 * 32_000 + 16_000),)


def test_a_folder_without_music_is_an_error(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingDataError, match="found none"):
        packages.run(tmp_path / "empty", tmp_path / "cache", workers=1)


@pytest.mark.parametrize("seed", range(8))
def test_an_augmented_view_keeps_length_and_range(seed: int):
    rng = np.random.default_rng(seed)
    view = augment(rng.standard_normal(16_000 * 2).astype(np.float32), rng)
    assert view.shape == (32_000,)
    assert np.abs(view).max() <= 1.0
    assert np.sqrt((view**2).mean()) > 1e-3


@pytest.mark.parametrize(
    "text", ["This package was debianized by hand.\n", "License: missing\n", ""]
)
def test_without_a_machine_readable_copyright_file_the_licence_says_where_to_look(
    tmp_path: Path, text: str
) -> None:
    folder = package(tmp_path / "in")
    (folder / "usr/share/doc/game-music/copyright").write_text(text)
    sources = packages.run(tmp_path / "in", tmp_path / "cache", workers=1)
    assert {row["licence"] for row in sources} == {"see the package's copyright file"}
