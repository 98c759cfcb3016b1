"""One colour a label, the same in every picture."""

from __future__ import annotations

import matplotlib

from mmgat.model.labels import N_LABELS


def label_colour(label: int) -> tuple[float, float, float, float]:
    """Returns the RGBA of a label, by its index."""
    colour: tuple[float, float, float, float] = matplotlib.colormaps["tab20"](label / N_LABELS)
    return colour
