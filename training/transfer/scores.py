"""Scores of the corpus of music21, as plain lists of notes.

Source: PyPI ``music21``: chorales, quartet movements and dances out of copyright.
"""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, NamedTuple

from mmgat.training.errors import TrainingDataError

SCORES: Final = "scores.json"
LONGEST_QUARTERS: Final = 260.0
FEWEST_NOTES: Final = 9
CHAMBER: Final = (
    "haydn", "mozart", "beethoven", "schumann_robert", "joplin", "chopin", "corelli", "handel",
    "schubert", "verdi", "weber", "beach", "cpebach",
)  # fmt: skip


class ScoreNote(NamedTuple):
    """One note of a part; times in quarter notes, pitch as in MIDI."""

    start: float
    length: float
    pitch: int


class Score(NamedTuple):
    """A title, and the notes of each part."""

    title: str
    parts: list[list[ScoreNote]]


def _files(corpus: Path, seed: int) -> Iterator[Path]:
    """Files of the corpus: for each movement two chorales and four dances, in a fixed order."""
    rng = random.Random(seed)
    groups = [
        [path for name in CHAMBER for path in sorted((corpus / name).rglob("*.mxl"))],
        sorted((corpus / "bach").glob("*.mxl")),
        sorted((corpus / "ryansMammoth").glob("*.abc")),
    ]
    for group in groups:
        rng.shuffle(group)
    chamber, chorales, dances = groups
    for turn in zip_longest(chamber, *[iter(chorales)] * 2, *[iter(dances)] * 4):
        yield from (path for path in turn if path is not None)


def _parts(parsed: Any) -> list[list[ScoreNote]]:
    parts = []
    for part in parsed.parts:
        notes = []
        for element in part.flatten().notes:
            start, length = float(element.offset), float(element.duration.quarterLength)
            if start > LONGEST_QUARTERS:
                break
            if length > 0:
                pitches = getattr(element, "pitches", ())
                notes += [ScoreNote(start, length, int(pitch.midi)) for pitch in pitches]
        if len(notes) >= FEWEST_NOTES:
            parts.append(notes)
    return parts


def run(cache: Path, n_scores: int = 100, seed: int = 0) -> int:
    """Reads scores into ``scores.json`` of the cache, unless it is there; returns how many.

    Raises:
        TrainingDataError: music21 is not installed, or has no corpus.
    """
    target = cache / SCORES
    if not target.is_file():
        try:
            from music21 import common, converter  # type: ignore[import-not-found,unused-ignore]
        except ModuleNotFoundError:
            raise TrainingDataError("expected music21, found none: pip install music21") from None
        corpus = Path(common.getCorpusFilePath())
        found: list[Score] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for path in _files(corpus, seed):
                parts = _parts(converter.parse(path))
                if parts:
                    found.append(Score(path.relative_to(corpus).as_posix(), parts))
                if len(found) == n_scores:
                    break
        if not found:
            raise TrainingDataError(f"expected scores in {corpus}, found none")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(found))
    return len(load_scores(cache))


def load_scores(cache: Path) -> list[Score]:
    """Reads what ``run`` wrote.

    Raises:
        TrainingDataError: there are no scores in the cache.
    """
    try:
        rows = json.loads((cache / SCORES).read_text())
    except OSError as error:
        raise TrainingDataError(
            f"expected {SCORES} in {cache}, found {error}: run scores"
        ) from None
    return [
        Score(title, [[ScoreNote(*note) for note in part] for part in parts])
        for title, parts in rows
    ]
