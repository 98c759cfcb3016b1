"""Heatmap of per-label results: a row for every network, a column for every label."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from mmgat.model.labels import LABELS


def per_label_heatmap(results: dict[str, dict[str, float]]) -> Figure:
    """Draws the average precision of networks (name -> label -> value), best network first."""
    names = sorted(results, key=lambda name: -float(np.mean(list(results[name].values()))))
    values = np.array([[results[name].get(label, np.nan) for label in LABELS] for name in names])
    figure = Figure(figsize=(12, 1.6 + 0.42 * len(names)), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(values, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(LABELS)), [label.replace("_", " ") for label in LABELS], rotation=45,
                    ha="right")  # fmt: skip
    axis.set_yticks(range(len(names)), names)
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if value < 0.6 else "black"
        text = "" if np.isnan(value) else f"{value:.2f}"
        axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    figure.colorbar(image, label="average precision")
    return figure
