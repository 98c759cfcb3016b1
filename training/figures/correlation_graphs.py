"""Instance correlation graphs of example clips: similarities, and the edges of every scale."""

from __future__ import annotations

import math

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from mmgat.model.graph.instance_graph import GraphLayout, InstanceGraph, Scale
from mmgat.model.labels import LABELS
from mmgat.model.mmgat import MMGAT
from mmgat.training.data.bags import Bags

SIMILARITY = matplotlib.colormaps["magma"]


def correlation_graphs(network: MMGAT, bags: Bags) -> Figure:
    """Draws a row for every clip: similarity of its seconds, then its graph at each scale."""
    n_columns = 1 + len(network.scales)
    figure = Figure(figsize=(2.9 * n_columns, 2.9 * len(bags)))
    figure.set_layout_engine("constrained", h_pad=0.1)
    axes = figure.subplots(len(bags), n_columns, squeeze=False)
    for index, (first, *others) in enumerate(axes):
        clip = bags.select(torch.tensor([index]))
        graph = network.graph(clip.embeddings, clip.mask())
        n_nodes = int(clip.lengths)
        image = first.imshow(
            graph.similarity[0, :n_nodes, :n_nodes], cmap=SIMILARITY, vmin=0, vmax=1
        )
        first.set(xlabel="second", ylabel="second")
        first.set_title(_name(clip.bag[0]), fontsize=9)
        for axis, scale in zip(others, network.scales, strict=True):
            _draw(axis, graph, scale, n_nodes)
            if not index:
                axis.set_title(f"{scale.kind} {scale.value:g}", fontsize=9)
    figure.colorbar(image, ax=axes, label="similarity", shrink=0.6)
    return figure


def _draw(axis: Axes, graph: InstanceGraph, scale: Scale, n_nodes: int) -> None:
    """Draws seconds on a circle, clockwise from the top; an edge's colour is its similarity."""
    angles = [math.pi / 2 - 2 * math.pi * second / n_nodes for second in range(n_nodes)]
    positions = [(math.cos(angle), math.sin(angle)) for angle in angles]
    linked = ~scale.neighbours(graph, GraphLayout.DENSE).absent[0, 0]
    for second, other in torch.nonzero(linked).tolist():
        if other == second:
            continue
        value = float(graph.similarity[0, second, other])
        (x, y), (to_x, to_y) = positions[second], positions[other]
        axis.plot((x, to_x), (y, to_y), color=SIMILARITY(max(value, 0.0)), linewidth=1.5)
    for second, (x, y) in enumerate(positions):
        axis.text(x, y, str(second), ha="center", va="center", fontsize=8,
                  bbox={"boxstyle": "circle", "facecolor": "white", "edgecolor": "grey"})  # fmt: skip
    axis.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), aspect="equal")
    axis.axis("off")


def _name(bag: Tensor) -> str:
    return ", ".join(LABELS[index] for index in torch.nonzero(bag > 0.5).flatten().tolist())
