"""Heatmap of per-label results: a row for every network, a column for every label."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from mmgat.model.labels import FAMILIES, LABELS
from mmgat.training.figures.colours import BY_FAMILY


def per_label_heatmap(results: dict[str, dict[str, float]]) -> Figure:
    """Draws the average precision of networks (name -> label -> value), best network first.

    Labels stand by family; those of which nobody has a value have no column.
    """
    names = sorted(results, key=lambda name: -float(np.mean(list(results[name].values()))))
    labels = [
        LABELS[index] for index in BY_FAMILY if any(LABELS[index] in results[n] for n in names)
    ]
    values = np.array([[results[name].get(label, np.nan) for label in labels] for name in names])
    figure = Figure(figsize=(12, 2.0 + 0.42 * len(names)), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(values, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(labels)), [label.replace("_", " ") for label in labels], rotation=45,
                    ha="right")  # fmt: skip
    axis.set_yticks(range(len(names)), names)
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if value < 0.6 else "black"
        text = "" if np.isnan(value) else f"{value:.2f}"
        axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    for family, members in FAMILIES.items():
        places = [labels.index(label) for label in members if label in labels]
        if places:
            middle = (places[0] + places[-1]) / 2
            axis.text(middle, -0.65, family, ha="center", va="bottom", fontsize=9)
            axis.axvline(places[-1] + 0.5, color="white", linewidth=2)
    figure.colorbar(image, label="average precision")
    return figure
