"""Log: every event and every warning with its time; filtered, searched, exported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from rich.cells import cell_len

from mmgat.stream.dashboard.drawing.cells import (
    BRIGHT,
    FAINT,
    MUTED,
    NOTICE,
    OK,
    SOUNDING,
    TEXT,
    WARNING,
    ColorRole,
    Line,
    Span,
    cut,
    fit,
    line_len,
    wrapped,
)
from mmgat.stream.dashboard.drawing.words import clock, counted, duration, time_of_day
from mmgat.stream.dashboard.screens.frame import Keys, body_height, framed, quiet, title
from mmgat.stream.dashboard.screens.welcome import welcome
from mmgat.stream.dashboard.state.log import Entry
from mmgat.stream.dashboard.state.view import View

KEYS: Final[Keys] = (
    ("↑ ↓", "scroll"),
    ("f", "filter"),
    ("/", "search"),
    ("end", "newest"),
    ("m", "mark"),
    ("x", "export"),
)
NAME_CELLS: Final = 14
_MARKS: Final[dict[str, tuple[str, ColorRole]]] = {
    "on": ("●", SOUNDING),
    "off": ("○", FAINT),
    "warning": ("▲", WARNING),
    "over": ("✓", OK),
    "notice": ("▸", NOTICE),
    "mark": ("⚑", NOTICE),
}


def render(view: View, width: int, height: int) -> list[Line]:
    """The newest entries first."""
    room = body_height(height)
    return framed(view, "log", _body(view, width, room), KEYS, (width, height))


def last_scroll(view: View, width: int, height: int) -> int:
    """By how many entries the log can be scrolled: then the oldest ones fill the screen."""
    room, entries = body_height(height) - 1, view.entries
    numbers = _numbers(view)
    for n_shown, entry in enumerate(entries):
        room -= len(entry_lines(entry, width, numbers))
        if room < 0:
            return len(entries) - max(1, n_shown)
    return 0


def _numbers(view: View) -> dict[str, int]:
    """Name of a source -> its number; none where there is one source only."""
    names = [source.name for source in view.state.heard()]
    return {name: n for n, name in enumerate(names, 1)} if len(names) > 1 else {}


def _body(view: View, width: int, height: int) -> list[Line]:
    if view.source is None and not view.state.entries:
        return welcome(view, width, height)
    entries = view.entries[::-1]
    choices, numbers = view.choices, _numbers(view)
    scroll = max(0, min(view.log_scroll, len(entries) - 1))
    lines: list[Line] = []
    n_shown = 0
    for entry in entries[scroll:]:
        if len(lines) >= height - 1:
            break
        lines += entry_lines(entry, width, numbers)
        n_shown += 1
    words = f"showing {choices.kinds}" if width >= 60 else choices.kinds
    if choices.search:
        words += f" with “{choices.search}”"
    count = counted(len(entries), "entry").replace("entrys", "entries")
    if len(entries) > n_shown:
        count = f"{scroll + 1}–{scroll + n_shown} of {count}"
    if not entries:
        lines.append(quiet("nothing to show", width))
    return [title(words, count, width), *lines[: height - 1]]


def entry_lines(entry: Entry, width: int, sources: Mapping[str, int]) -> list[Line]:
    """One entry; a long warning takes several lines, which begin under its text."""
    line = entry_line(entry, width, sources)
    if entry.label:
        return [cut(line, width)]
    before = line_len(line[:-1])
    first, *others = wrapped(entry.text, line[-1].role, max(8, width - before)) or [[]]
    return [[*line[:-1], *first], *([Span(" " * before, TEXT), *more] for more in others)]


def entry_line(entry: Entry, width: int, sources: Mapping[str, int]) -> Line:
    """One entry in a line: time of day, time in the stream, source, and what happened.

    Args:
        entry: of the log.
        width: in cells.
        sources: their numbers, which stand for them in little room; none where there is one only.
    """
    mark, role = _MARKS[entry.kind]
    line: Line = []
    if width >= 34:
        line.append(Span(f"{time_of_day(entry.unix_time)} ", MUTED))
    if width >= 56 or width < 34:
        stream = "" if entry.stream_s is None else clock(entry.stream_s)
        line.append(Span(f"{stream:>7} ", FAINT))
    line.append(Span(f" {mark} " if width >= 56 else f"{mark} ", role))
    if sources and width >= 70:
        line.append(Span(fit(entry.source, _name_cells(sources, width)) + " ", MUTED))
    elif sources:
        number = sources.get(entry.source, "")
        line.append(Span(f"{number:>{len(str(len(sources)))}} ", MUTED))
    loud = {"on": BRIGHT, "off": MUTED, "warning": WARNING}.get(entry.kind, TEXT)
    line.append(Span(entry.text, loud))
    if entry.lasted_s is not None:
        after = f" after {duration(entry.lasted_s)}"
        short = f" {duration(entry.lasted_s)}"
        room = width - line_len(line)
        line.append(Span(after if len(after) <= room else short, MUTED))
    return line


def _name_cells(sources: Iterable[str], width: int) -> int:
    """Cells for the names of sources: as many as they need, up to a quarter of the line."""
    return max(NAME_CELLS, min(max(map(cell_len, sources)), width // 4))
