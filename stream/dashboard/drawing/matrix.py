"""The instance correlation graph as matrices: the similarity of every pair, by its three scales."""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len

from mmgat.stream.dashboard.drawing.bars import shade
from mmgat.stream.dashboard.drawing.cells import (
    FAINT,
    MUTED,
    TRACK,
    ColorRole,
    Line,
    Span,
    beside,
    fit,
    joined,
    mix,
)
from mmgat.stream.dashboard.state.graph import GraphView

GAP: Final = 3
SMALL: Final = 20
"""Up to so many nodes a cell of the matrix is two characters wide and a line high."""


def matrices(graph: GraphView, width: int, height: int) -> list[Line]:
    """As many scales side by side as fit, each with its name above; [] where none fits."""
    n = len(graph.times_s)
    small = n <= SMALL
    wide, tall = (2 * n, n) if small else (n, (n + 1) // 2)
    if not graph.whole or wide > width or tall + 1 > height:
        return []
    linked_by = {
        name: [set(row) for row in neighbours] for name, neighbours in graph.neighbours.items()
    }
    titles = {
        name: f"{name}, {sum(len(row - {at}) for at, row in enumerate(linked))} edges"
        for name, linked in linked_by.items()
    }
    wide = max(wide, min(max(map(cell_len, titles.values()), default=0), (width - 2 * GAP) // 3))
    n_fit = (width + GAP) // (wide + GAP)
    blocks = []
    for name in list(titles)[: max(1, n_fit)]:
        linked = linked_by[name]
        block: list[Line] = [[Span(fit(titles[name], wide), MUTED)]]
        for y in range(tall):
            rows = [y] if small else [row for row in (2 * y, 2 * y + 1) if row < n]
            block.append(joined(_cell(graph, linked, rows, x, small) for x in range(n)))
        blocks.append(block)
    return beside(blocks, [wide] * len(blocks), GAP)


def _cell(
    graph: GraphView, linked: list[set[int]], rows: list[int], x: int, small: bool
) -> tuple[str, ColorRole]:
    width = 2 if small else 1
    if x in rows:
        return "╲" + " " * (width - 1), FAINT
    among = [graph.similarity[y][x] for y in rows if x in linked[y]]
    if not among:
        return "·" + " " * (width - 1), TRACK
    value = max(0.0, min(1.0, max(among)))
    return shade(max(0.2, value)) * width, mix("dark", "quiet", 0.25 + 0.75 * value)


def legend(width: int) -> Line:
    """What the matrices' shades mean."""
    text = "rows and columns: seconds, the newest last; the denser, the more alike"
    return [Span(fit(text, width), FAINT)]
