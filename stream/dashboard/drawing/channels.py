"""The channels of a source: level, silence and clipping of each."""

from __future__ import annotations

from typing import Final

from mmgat.stream.bus.protocol import Status
from mmgat.stream.dashboard.drawing.bars import FLOOR_DBFS, HEIGHTS, meter
from mmgat.stream.dashboard.drawing.cells import (
    ERROR,
    MUTED,
    OK,
    TEXT,
    TRACK,
    ColorRole,
    Line,
    Span,
    cut,
    fit,
    joined,
    line_len,
)
from mmgat.stream.dashboard.drawing.words import CLIP_SHOWN_S, counted, level
from mmgat.stream.dashboard.state.sources import SourceState

LINES: Final = 4
"""Up to so many channels have a line each."""

NAME, VALUE = 11, 9
"""Cells of a figure's name and value."""


def channel_lines(
    source: SourceState, status: Status, now: float, cells: int, width: int
) -> list[Line]:
    """A line a channel, or a glyph a channel where there are many; [] where nothing is known.

    Args:
        source: whose channels.
        status: its newest.
        now: as of the view.
        cells: of a meter; 0 for none.
        width: of a line.
    """
    levels = status.levels_dbfs
    if len(levels) < 2:
        return []
    if len(levels) > LINES:
        return _strip(source, status, now, width)
    lines = []
    for channel, dbfs in enumerate(levels):
        word, role = _mark(source, status, channel, now)
        line: Line = [
            Span(fit(f"channel {channel + 1}", NAME), MUTED),
            Span(f"{level(dbfs):>{VALUE}} ", TEXT),
            Span(" ", TEXT),
            *meter(dbfs, cells),
        ]
        lines.append(cut([*line, Span(f"  {word}" if cells else word, role)], width))
    return lines


def _mark(source: SourceState, status: Status, channel: int, now: float) -> tuple[str, ColorRole]:
    """What is special about a channel, in words."""
    if _clips(source, channel, now):
        return "× CLIPS", ERROR
    if status.levels_dbfs[channel] <= FLOOR_DBFS:
        return "○ silent", MUTED
    n_clipped = _clipped(status, channel)
    return (f"{counted(n_clipped, 'sample')} clipped", ERROR) if n_clipped else ("", MUTED)


def _strip(source: SourceState, status: Status, now: float, width: int) -> list[Line]:
    """Many channels: the height is the level, a circle is silence, a cross is clipping."""
    cells: list[tuple[str, ColorRole]] = []
    levels = status.levels_dbfs
    for channel, dbfs in enumerate(levels):
        if _clips(source, channel, now) or _clipped(status, channel):
            cells.append(("×", ERROR))
        elif dbfs <= FLOOR_DBFS:
            cells.append(("○", TRACK))
        else:
            cells.append((HEIGHTS[min(7, max(0, int(8 * (1 - dbfs / FLOOR_DBFS))))], OK))
    clipped = [str(n + 1) for n in range(len(levels)) if _clipped(status, n)]
    n_silent = sum(dbfs <= FLOOR_DBFS for dbfs in levels)
    notes = [Span(f"{n_silent} of {len(levels)} silent", MUTED)] if n_silent else []
    if clipped:
        notes.append(Span(f"× clipped: {', '.join(clipped)}", ERROR))
    first: Line = [Span(fit("channels", NAME), MUTED), Span(f"{len(levels):>{VALUE}}  ", TEXT)]
    room = max(8, width - line_len(first))
    rows = [cells[at : at + room] for at in range(0, len(cells), room)]
    indent = Span(" " * line_len(first), TEXT)
    lines = [cut([*(first if n == 0 else [indent]), *joined(row)], width)
             for n, row in enumerate(rows)]  # fmt: skip
    words: Line = []
    for note in notes:
        words += [Span("   ", TEXT), note] if words else [note]
    return [*lines, cut([indent, *words], width)] if words else lines


def _clips(source: SourceState, channel: int, now: float) -> bool:
    at = source.channels_clipped_at.get(channel)
    return at is not None and now - at < CLIP_SHOWN_S


def _clipped(status: Status, channel: int) -> int:
    counts = status.clipped_channels
    return counts[channel] if channel < len(counts) else 0
