"""One colour a family and one mark a label, the same in every picture."""

from __future__ import annotations

from typing import Final

from mmgat.model.labels import FAMILIES, INDEX

COLOURS: Final = dict(
    zip(
        FAMILIES,
        ("#e69f00", "#0072b2", "#009e73", "#d55e00", "#7f3fbf", "#555555", "#e75da0"),
        strict=True,
    )
)
"""Family -> colour; neighbours can be told apart by colour-blind readers too."""

MARKS: Final = ("o", "^", "s", "D", "P")
"""Of the members of a family, in order."""

BY_FAMILY: Final = tuple(INDEX[label] for members in FAMILIES.values() for label in members)
"""Indices of the labels, families together."""


def label_style(label: int) -> tuple[str, str]:
    """Returns colour and mark of a label, by its index."""
    for family, members in FAMILIES.items():
        places = {INDEX[member]: place for place, member in enumerate(members)}
        if label in places:
            return COLOURS[family], MARKS[places[label]]
    raise ValueError(f"expected the index of a label, found {label}")
