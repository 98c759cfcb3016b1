"""The 20 instruments (OpenMIC-2018 vocabulary and order), their onset classes and families."""

from __future__ import annotations

from typing import Final

LABELS: Final = (
    "accordion", "banjo", "bass", "cello", "clarinet", "cymbals", "drums", "flute", "guitar",
    "mallet_percussion", "mandolin", "organ", "piano", "saxophone", "synthesizer", "trombone",
    "trumpet", "ukulele", "violin", "voice",
)  # fmt: skip
"""The labels in OpenMIC-2018's class-map order."""

N_LABELS: Final = len(LABELS)
INDEX: Final = {label: index for index, label in enumerate(LABELS)}

ONSETS: Final = {
    "soft": ("accordion", "bass", "cello", "clarinet", "flute", "organ", "saxophone", "violin"),
    "hard": (
        "banjo", "cymbals", "drums", "guitar", "mallet_percussion", "mandolin", "piano",
        "synthesizer", "trombone", "trumpet", "ukulele",
    ),
    "other": ("voice",),
}  # fmt: skip
"""Auxiliary classes by onset type, exactly as the paper's table has them (bass soft, brass hard)."""

FAMILIES: Final = {
    "plucked": ("banjo", "bass", "guitar", "mandolin", "ukulele"),
    "bowed": ("cello", "violin"),
    "woodwind": ("clarinet", "flute", "saxophone"),
    "brass": ("trombone", "trumpet"),
    "keyboard": ("accordion", "organ", "piano", "synthesizer"),
    "percussion": ("cymbals", "drums", "mallet_percussion"),
    "voice": ("voice",),
}
"""Auxiliary classes by instrument family: the paper names the idea, this grouping is ours."""


def membership(groups: dict[str, tuple[str, ...]]) -> list[list[bool]]:
    """Which group every label belongs to, as rows of groups x 20 labels."""
    return [[label in members for label in LABELS] for members in groups.values()]
