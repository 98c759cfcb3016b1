"""Log: every event and every warning with its time; filtered, searched, exported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

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


def page(height: int) -> int:
    """How many entries a terminal of that height shows."""
    return max(1, body_height(height) - 1)


def _body(view: View, width: int, height: int) -> list[Line]:
    if view.source is None and not view.state.entries:
        return welcome(view, width, height)
    entries = view.entries[::-1]
    choices = view.choices
    scroll = min(view.log_scroll, max(0, len(entries) - (height - 1)))
    scroll = max(0, scroll)
    shown = entries[scroll : scroll + height - 1]
    words = f"showing {choices.kinds}" if width >= 60 else choices.kinds
    if choices.search:
        words += f" with “{choices.search}”"
    count = counted(len(entries), "entry").replace("entrys", "entries")
    if len(entries) > len(shown):
        count = f"{scroll + 1}–{scroll + len(shown)} of {count}"
    lines = [title(words, count, width)]
    names = [source.name for source in view.state.heard()]
    sources = {name: n for n, name in enumerate(names, 1)} if len(names) > 1 else {}
    lines += [entry_line(entry, width, sources) for entry in shown]
    if not entries:
        lines.append(quiet("nothing to show", width))
    return lines


def entry_line(entry: Entry, width: int, sources: Mapping[str, int]) -> Line:
    """One entry: time of day, time in the stream, source, and what happened.

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
        line.append(Span(fit(entry.source, 14) + " ", MUTED))
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
    return cut(line, width)
