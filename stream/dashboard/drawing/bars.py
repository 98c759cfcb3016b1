"""Bars, meters, sparklines and strips; what they show can be read from the glyphs alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mmgat.stream.dashboard.drawing.cells import (
    ERROR,
    OK,
    PEAK,
    TICK,
    TRACK,
    WARNING,
    ColorRole,
    Line,
    joined,
    mix,
)

SHADES: Final = " ░▒▓█"
HEIGHTS: Final = "▁▂▃▄▅▆▇█"

FLOOR_DBFS: Final = -60.0
"""Left edge of the level meter; the default of the silence gate."""

HIGH_DBFS: Final = -12.0
HOT_DBFS: Final = -3.0


def bar(score: float, peak: float, threshold: float | None, width: int, role: ColorRole) -> Line:
    """A bar of 0 to 1 in one line.

    Args:
        score: length of the bar.
        peak: where the mark of the highest score stands, if above the score.
        threshold: where the tick stands.
        width: in cells.
        role: of the bar.
    """
    if width <= 0:
        return []
    cells: list[tuple[str, ColorRole]] = []
    for cell in range(width):
        covered = score * width - cell
        cells.append(("▆", role) if covered >= 0.5 else ("─", TRACK))
    if peak > score and (at := min(width - 1, max(0, int(peak * width)))) >= score * width:
        cells[at] = ("╸", PEAK)
    if threshold is not None:
        at = tick_cell(threshold, width)
        cells[at] = ("│" if cells[at][1] != role else "┃", TICK)
    return joined(cells)


def tick_cell(threshold: float, width: int) -> int:
    """The cell of the tick."""
    return min(width - 1, max(0, int(threshold * width)))


def meter(level_dbfs: float | None, width: int) -> Line:
    """A level from ``FLOOR_DBFS`` to 0 dBFS; the loudest parts in the colours of caution."""
    length = 0.0 if level_dbfs is None else 1 - min(1.0, max(0.0, level_dbfs / FLOOR_DBFS))
    cells: list[tuple[str, ColorRole]] = []
    for cell in range(max(0, width)):
        dbfs = FLOOR_DBFS * (1 - (cell + 1) / width)
        lit = ERROR if dbfs > HOT_DBFS else WARNING if dbfs > HIGH_DBFS else OK
        on = length * width - cell >= 0.5
        cells.append(("▆", lit) if on else ("─", TRACK))
    return joined(cells)


def shade(value: float | None) -> str:
    """A glyph that is the denser the higher a value from 0 to 1 is; a gap for None."""
    if value is None:
        return "╱"
    value = min(1.0, max(0.0, value))
    return SHADES[min(len(SHADES) - 1, int(value * len(SHADES)))]


def strip(values: Sequence[float | None], role: str) -> Line:
    """A value from 0 to 1 in every cell, by glyph and by colour; None is a gap."""
    return joined(
        ("╱", ColorRole("track")) if value is None else (shade(value), mix("dark", role, value))
        for value in values
    )


def sparkline(
    values: Sequence[float | None], low: float, high: float, width: int, role: ColorRole
) -> Line:
    """Values as heights of one line, oldest first; of several for a cell the highest counts."""
    if width <= 0:
        return []
    size = max(1, -(-len(values) // width))
    start = len(values) % size
    groups = [values[:start]] if start else []
    groups += [values[at : at + size] for at in range(start, len(values), size)]
    cells: list[tuple[str, ColorRole]] = []
    for group in groups[-width:]:
        known = [value for value in group if value is not None]
        if not known:
            cells.append(("╱", TRACK))
            continue
        part = (max(known) - low) / max(1e-9, high - low)
        cells.append((HEIGHTS[min(7, max(0, int(part * 8)))], role if part > 0 else TRACK))
    return joined([*cells, *[(" ", role)] * (width - len(cells))])


def columns(values: Sequence[float], height: int, cell_width: int, role: str) -> list[Line]:
    """Values from 0 to 1 as columns of ``height`` lines, with a gap of a cell between them."""
    lines: list[Line] = []
    for row in range(height):
        cells: list[tuple[str, ColorRole]] = []
        for value in values:
            eighths = round(min(1.0, max(0.0, value)) * height * 8) - 8 * (height - 1 - row)
            glyph = " " if eighths <= 0 else HEIGHTS[min(7, eighths - 1)]
            if row == height - 1 and eighths <= 0:
                glyph = "▁"
            inner = max(1, cell_width - 1)
            shown = mix("track", role, 0.0 if eighths <= 0 else 0.3 + 0.7 * value)
            cells.append((glyph * inner + " " * (cell_width - inner), shown))
        lines.append(joined(cells))
    return lines
