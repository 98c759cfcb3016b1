"""A heat map of instruments over time, with the brackets of what began and ended, and its axis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mmgat.stream.dashboard.drawing.bars import shade
from mmgat.stream.dashboard.drawing.cells import (
    BRIGHT,
    FAINT,
    MUTED,
    NOTICE,
    SOUNDING,
    TRACK,
    ColorRole,
    Line,
    joined,
    mix,
)
from mmgat.stream.dashboard.drawing.words import clock, time_of_day
from mmgat.stream.dashboard.state.history import Interval, SourceHistory
from mmgat.stream.dashboard.state.score_track import FULL, UNKNOWN

STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Distances of the axis's marks."""

WITHIN_A_CELL: Final = "▮"
"""An instrument that began and ended in one cell."""

BOTH: Final = "│"
"""One ended and another began in one cell."""

BRACKETS: Final = "[]" + WITHIN_A_CELL + BOTH


@lru_cache(maxsize=8192)
def _highest(rows: tuple[bytes, ...]) -> bytes:
    """The highest byte of every label; most columns stay as they are from one picture to the next."""
    known = [row for row in rows if row != UNKNOWN]
    return bytes(map(max, *known)) if len(known) > 1 else known[0] if known else UNKNOWN


@dataclass(frozen=True)
class HeatMap:
    """The columns of a heat map.

    Attributes:
        history: what is shown.
        span_s: its width in seconds.
        width: in cells.
        end_s: the right edge, on the history's axis.
    """

    history: SourceHistory
    span_s: float
    width: int
    end_s: float

    @property
    def cell_s(self) -> float:
        """Seconds of a cell."""
        return self.span_s / max(1, self.width)

    @property
    def right_s(self) -> float:
        """The right edge, moved to a multiple of a cell: columns stand still while they move left."""
        return math.ceil(self.end_s / self.cell_s - 1e-9) * self.cell_s

    @property
    def left_s(self) -> float:
        """The left edge."""
        return self.right_s - self.span_s

    def cell(self, axis_s: float) -> int:
        """The cell of a moment; outside the map it lies below 0 or beyond the width."""
        return math.floor((axis_s - self.left_s) / self.cell_s + 1e-6)

    def values(self) -> list[bytes]:
        """For every cell the highest byte of each label, or ``UNKNOWN``.

        The newest row lasts until the end of its estimate, half a second after the middle of it.
        """
        track, found = self.history.track, []
        lasts_s = min(track.end + 1.0, self.history.end_s)
        for cell in range(self.width):
            begin = math.floor(self.left_s + cell * self.cell_s + 1e-6)
            end = max(begin + 1, math.ceil(self.left_s + (cell + 1) * self.cell_s - 1e-6))
            if track.end <= begin and self.left_s + cell * self.cell_s < lasts_s - 1e-6:
                begin = track.end - 1
            low, high = max(0, begin - track.first), max(0, end - track.first)
            found.append(_highest(track.rows[low:high]))
        return found

    def row(self, label: str, values: list[bytes], cursor: int | None) -> Line:
        """The line of one label; blank before the first estimate that has come.

        Args:
            label: an instrument.
            values: see ``values``.
            cursor: cell that is marked, or None.
        """
        history = self.history
        index = history.labels.index(label) if label in history.labels else -1
        first = self.cell(history.track.first) if history.track.rows else self.width
        last = self.cell(history.end_s - 1e-3)
        cells: list[tuple[str, ColorRole]] = []
        for cell, column in enumerate(values):
            if 0 <= index < len(column):
                value = column[index] / FULL
                cells.append((shade(value).replace(" ", "·"), mix("dark", "quiet", value)))
            else:
                cells.append(("╱" if first <= cell <= last else " ", TRACK))
        for interval in history.intervals:
            if interval.label == label:
                self._mark(cells, interval, values, index)
        for run in history.runs[1:]:
            if 0 <= (at := self.cell(run.begin_s)) < self.width:
                cells[at] = ("┆", NOTICE)
        if cursor is not None and 0 <= cursor < self.width and cells[cursor][0] in " ╱░·":
            cells[cursor] = ("┊", BRIGHT)
        return joined(cells)

    def _mark(
        self,
        cells: list[tuple[str, ColorRole]],
        interval: Interval,
        values: list[bytes],
        index: int,
    ) -> None:
        """Puts an interval over the scores: brighter, and between brackets."""
        end_s = self.history.end_s if interval.end_s is None else interval.end_s
        first, last = self.cell(interval.onset_s), self.cell(max(interval.onset_s, end_s - 1e-3))
        for cell in range(max(0, first), min(self.width, last + 1)):
            if cells[cell][0] in BRACKETS:
                continue
            column = values[cell]
            value = column[index] / FULL if 0 <= index < len(column) else None
            glyph = "━" if value is None else shade(max(0.25, value))
            cells[cell] = (
                glyph,
                mix("dark", "sounding", 0.5 if value is None else 0.4 + 0.6 * value),
            )
        ended = interval.end_s is not None
        if 0 <= first < self.width:
            glyph = WITHIN_A_CELL if ended and first == last else "["
            cells[first] = (_beside(cells[first][0], glyph), SOUNDING)
        if ended and first < last and 0 <= last < self.width:
            cells[last] = (_beside(cells[last][0], "]"), SOUNDING)

    def axis(self, with_stream: bool) -> list[Line]:
        """The time of day, and the time in the stream, under marks at round seconds."""
        wanted_s = 11 * self.cell_s
        step = next((step for step in STEPS_S if step >= wanted_s), STEPS_S[-1])
        rows = [[" "] * self.width, [" "] * self.width]
        history = self.history
        offset_s = history.offset_s
        tick = math.ceil((self.left_s - offset_s) / step) * step + offset_s
        while tick < self.right_s:
            at = self.cell(tick)
            stream_s = history.stream_s(tick)
            day = time_of_day(history.unix_time(tick))
            texts = [f"│{day}", f"│{clock(round(stream_s))}"]
            if tick >= history.begin_s - step and stream_s >= 0:
                for row, text in zip(rows, texts, strict=True):
                    if at >= 0 and at + len(text) <= self.width:
                        row[at : at + len(text)] = text
            tick += step
        lines = [joined([("".join(rows[1]), MUTED)]), joined([("".join(rows[0]), FAINT)])]
        return lines if with_stream else lines[:1]


def _beside(there: str, glyph: str) -> str:
    """What a cell shows that has a bracket already."""
    return BOTH if there in BRACKETS else glyph
