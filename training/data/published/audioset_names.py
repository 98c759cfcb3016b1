"""AudioSet's class names of the 20 labels, for AudioSet's class table and for YAMNet's.

A label is present if any of its classes is (ours; OpenMIC's labels are coarser than AudioSet's).
YAMNet lacks a few of AudioSet's 527 classes, so some names may be missing, but not all of a label.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from mmgat.model.labels import LABELS
from mmgat.training.errors import TrainingDataError

LABEL_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "accordion": ("Accordion",),
    "banjo": ("Banjo",),
    "bass": ("Bass guitar", "Double bass"),
    "cello": ("Cello",),
    "clarinet": ("Clarinet",),
    "cymbals": ("Cymbal", "Hi-hat"),
    "drums": (
        "Percussion", "Drum kit", "Drum machine", "Drum", "Snare drum", "Rimshot", "Drum roll",
        "Bass drum",
    ),
    "flute": ("Flute",),
    "guitar": (
        "Guitar", "Electric guitar", "Acoustic guitar", "Steel guitar, slide guitar",
        "Tapping (guitar technique)", "Strum",
    ),
    "mallet_percussion": (
        "Mallet percussion", "Marimba, xylophone", "Glockenspiel", "Vibraphone",
    ),
    "mandolin": ("Mandolin",),
    "organ": ("Organ", "Electronic organ", "Hammond organ"),
    "piano": ("Piano", "Electric piano"),
    "saxophone": ("Saxophone",),
    "synthesizer": ("Synthesizer",),
    "trombone": ("Trombone",),
    "trumpet": ("Trumpet",),
    "ukulele": ("Ukulele",),
    "violin": ("Violin, fiddle",),
    "voice": (
        "Singing", "Choir", "Yodeling", "Chant", "Mantra", "Male singing", "Female singing",
        "Child singing", "Vocal music", "A capella",
    ),
}  # fmt: skip
"""AudioSet display names whose union is a label."""

FIRST_MUSIC_NAME: Final = "Music"
LAST_MUSIC_NAME: Final = "Scary music"
"""Everything between these two in AudioSet's order is music or a musical instrument."""


def label_columns(class_names: Sequence[str]) -> list[list[int]]:
    """Finds, for each of the 20 labels, the columns of its classes in ``class_names``.

    Raises:
        TrainingDataError: a label has no column, so this is no AudioSet class table.
    """
    position = {name: column for column, name in enumerate(class_names)}
    columns = []
    for label in LABELS:
        found = [position[name] for name in LABEL_NAMES[label] if name in position]
        if not found:
            raise TrainingDataError(
                f"expected an AudioSet class for '{label}' ({', '.join(LABEL_NAMES[label])}), "
                f"found none among {len(class_names)} names: is this the class table?"
            )
        columns.append(found)
    return columns


def music_columns(class_names: Sequence[str]) -> list[int]:
    """Finds the columns of music: AudioSet's branch of music, and singing.

    Raises:
        TrainingDataError: the music branch is not in the table.
    """
    names = list(class_names)
    if FIRST_MUSIC_NAME not in names or LAST_MUSIC_NAME not in names:
        raise TrainingDataError(
            f"expected AudioSet's classes from '{FIRST_MUSIC_NAME}' to '{LAST_MUSIC_NAME}', "
            f"found {len(names)} names without them: is this the class table?"
        )
    branch = range(names.index(FIRST_MUSIC_NAME), names.index(LAST_MUSIC_NAME) + 1)
    singing = {names.index(name) for name in LABEL_NAMES["voice"] if name in names}
    return sorted(singing.union(branch))


def to_labels(
    scores: npt.NDArray[np.floating], columns: Sequence[Sequence[int]]
) -> npt.NDArray[np.float32]:
    """Class scores [..., n_classes] -> label scores float32 [..., 20], the largest of each label."""
    return np.stack([scores[..., list(c)].max(axis=-1) for c in columns], axis=-1).astype(
        np.float32
    )


def read_class_names(table: Path) -> list[str]:
    """Reads the display names of a class table (AudioSet's or YAMNet's csv), in column order.

    Raises:
        TrainingDataError: the file is missing or has no ``display_name`` column.
    """
    try:
        with table.open(newline="", encoding="utf-8") as file:
            return [row["display_name"] for row in csv.DictReader(file)]
    except (OSError, KeyError) as error:
        raise TrainingDataError(
            f"expected a class table with a display_name column at {table}, found {error!r}"
        ) from error
