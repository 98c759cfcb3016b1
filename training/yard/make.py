"""Makes the yard from recordings and soundfonts; a run that was stopped goes on (ours)."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from mmgat.model.labels import INDEX, N_LABELS
from mmgat.training.data.yard_store import LabelledClip, Yard, exactly_labelled, weakly_labelled
from mmgat.training.errors import TrainingDataError
from mmgat.training.features.registry import RATE_HZ
from mmgat.training.synthesis import render
from mmgat.training.yard.clips import make_clip
from mmgat.training.yard.players import PARTS, SOUNDFONTS, Players, YardPart

PHRASES: Final = "phrases"
"""The part of real playing: for evaluation only."""

SIZES: Final[dict[str, dict[YardPart, int]]] = {
    "tiny": {"train": 500, "held-out": 150, "evaluation": 200},
    "small": {"train": 1_200, "held-out": 300, "evaluation": 300},
    "full": {"train": 12_000, "held-out": 1_200, "evaluation": 1_800},
}
"""name -> clips of each part."""

SOUNDFONT_FOLDERS: Final = (Path("/usr/share/sounds/sf2"), Path("/usr/share/sounds/sf3"))

TAKES: Final = 2
"""Rendered stems of each program."""


def usual_soundfonts() -> list[Path]:
    """Finds the soundfonts of the yard where Debian's packages put them."""
    names = {name for fonts in SOUNDFONTS.values() for name in fonts}
    files = (path for folder in SOUNDFONT_FOLDERS for path in sorted(folder.glob("*.sf[23]")))
    return [path for path in files if path.stem in names]


def run(
    data: Path,
    soundfonts: list[Path],
    cache: Path,
    folder: Path,
    sizes: dict[YardPart, int],
    report: Callable[[str], None] = print,
    takes: int = TAKES,
) -> Yard:
    """Renders what is missing, makes the clips that are missing, and imports the phrases.

    Args:
        data: the local data folder, with audio/ and phrases/.
        soundfonts: one for each part, see ``SOUNDFONTS``.
        cache: keeps rendered stems and packed recordings; pieces of ``mmgat-train transfer pieces``
            in it become songs of the yard.
        folder: of the yard.
        sizes: part -> number of clips.
        report: takes a line a part.
        takes: rendered stems of each program, where they are not there.

    Raises:
        TrainingDataError: data, soundfonts or fluidsynth are missing.
    """
    names = {path.stem for path in soundfonts}
    missing = [part for part in PARTS if not names & set(SOUNDFONTS[part])]
    if missing and not (cache / "stems.json").is_file():
        wanted = ", ".join(" or ".join(SOUNDFONTS[part]) for part in missing)
        raise TrainingDataError(
            f"expected soundfonts {wanted} for {', '.join(missing)}, found "
            f"{', '.join(sorted(names)) or 'none'}: install fluid-soundfont-gm, "
            "musescore-general-soundfont and timgm6mb-soundfont, or name their files with --soundfont"
        )
    if not (cache / "stems.json").is_file():
        render.run(soundfonts, None, cache, takes=takes)
    yard = Yard(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        players = Players(data / "audio", cache, part)
        yard.write(part, sizes[part], _maker(players))
        report(f"{part}: {sizes[part]} clips")
    if (data / PHRASES / "manifest.csv").is_file():
        import_phrases(yard, data / PHRASES)
        report(f"{PHRASES}: {len(yard.labels(PHRASES)['seconds'])} clips")
    return yard


def _maker(players: Players) -> Callable[[int], LabelledClip]:
    def make(index: int) -> LabelledClip:
        clip = make_clip(players, index)
        return exactly_labelled(
            clip.audio, clip.labels, clip.known, clip.kind, "+".join(sorted(clip.sources))
        )

    return make


def import_phrases(yard: Yard, folder: Path) -> None:
    """Imports clips of real playing whose labels are all known, as part ``phrases``.

    Args:
        yard: to write to.
        folder: of the clips, with manifest.csv: path, labels (joined by +), source.

    Raises:
        TrainingDataError: the manifest or a clip is missing or damaged.
    """
    try:
        with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise TrainingDataError(f"expected manifest.csv in {folder}, found {error}") from None

    def clip(index: int) -> LabelledClip:
        row = rows[index]
        bag = np.zeros(N_LABELS, np.float32)
        bag[[INDEX[label] for label in row["labels"].split("+")]] = 1
        audio = read_stereo(folder / row["path"])
        return weakly_labelled(audio, bag, np.ones_like(bag), PHRASES, row["source"])

    yard.write(PHRASES, len(rows), clip)


def read_stereo(path: Path) -> npt.NDArray[np.float32]:
    """Reads any sound file as float32 [2, T] at 16 kHz; mono becomes two equal channels.

    Raises:
        TrainingDataError: it cannot be read.
    """
    try:
        audio, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise TrainingDataError(f"expected a sound file at {path}, found {error}") from None
    audio = audio[:, [0, min(1, audio.shape[1] - 1)]]
    resampled: npt.NDArray[np.float32] = soxr.resample(audio, rate_hz, RATE_HZ, "HQ")
    return np.ascontiguousarray(resampled.T.astype(np.float32))
