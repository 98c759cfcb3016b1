"""Timeline: every instrument over the last minutes, with the brackets of what began and ended."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from mmgat.model.labels import FAMILIES
from mmgat.stream.dashboard.drawing.cells import (
    BRIGHT,
    FAINT,
    MUTED,
    NOTICE,
    SOUNDING,
    TEXT,
    Line,
    Span,
    cut,
    fit,
    line_len,
    padded,
    spread,
)
from mmgat.stream.dashboard.drawing.heat import HeatMap
from mmgat.stream.dashboard.drawing.words import (
    clock,
    counted,
    duration,
    held,
    instrument,
    short_instrument,
    span,
    time_of_day,
)
from mmgat.stream.dashboard.screens.frame import Keys, body_height, framed, quiet, title
from mmgat.stream.dashboard.screens.welcome import welcome
from mmgat.stream.dashboard.state.history import Interval, SourceHistory
from mmgat.stream.dashboard.state.steering import in_families
from mmgat.stream.dashboard.state.view import View

KEYS: Final[Keys] = (
    ("← →", "move"),
    ("+ -", "zoom"),
    ("[ ]", "previous, next event"),
    ("end", "follow"),
    ("m", "mark"),
    ("x", "export"),
)

_SPANS: Final = {60: "minute", 3600: "hour"}


def render(view: View, width: int, height: int) -> list[Line]:
    """The past of the source, as far as the chosen span goes."""
    room = body_height(height)
    return framed(view, "timeline", _body(view, width, room), KEYS, (width, height))


def _body(view: View, width: int, height: int) -> list[Line]:
    source = view.source
    if source is None:
        return welcome(view, width, height)
    choices = view.choices
    where = "following the sound" if choices.cursor_s is None else "end: follow again"
    heading = title(f"the last {_SPANS.get(choices.span_s, span(choices.span_s))}", where, width)
    if choices.cursor_s is not None:
        heading = title(_moment(source.history, choices.cursor_s), where, width)
    lines = map_lines(view, width, height - 1, choices.span_s, heading, choices.top)
    n_hidden = last_top(view, height)
    more = [Span(f"↑ ↓ {n_hidden} more", MUTED)] if n_hidden else []
    foot = _at_cursor(view, width - line_len(more) - 2)
    return [*lines, spread(foot, more, width)][:height]


def last_top(view: View, height: int) -> int:
    """How many instruments have no row in a body of that height."""
    return max(0, len(view.state.labels) - _n_rows(height - 1))


def _n_rows(height: int) -> int:
    """The rows of a map with its heading and its axis."""
    return height - 1 - _n_axis(height)


def _n_axis(height: int) -> int:
    return 2 if height >= 8 else 1


def map_lines(
    view: View, width: int, height: int, span_s: float, heading: Line, top: int | None = None
) -> list[Line]:
    """A heading, the map's rows and its axis in at most ``height`` lines.

    Where there is no room for all instruments, those that sounded are shown, then those with the
    highest scores; all keep the order of their families. With ``top`` it is those from there on.
    """
    source = view.source
    if source is None:
        return []
    history = source.history
    name_width = 18 if width >= 100 else 12
    cells = max(1, width - name_width - 3)
    heat = HeatMap(history, span_s, cells, right_edge(view, span_s))
    values = heat.values()
    n_axis = _n_axis(height)
    labels = _chosen(view, heat, values, _n_rows(height), top)
    if not labels:
        return [heading, quiet("nothing has sounded in this time", width)]
    cursor = None if view.choices.cursor_s is None else heat.cell(view.choices.cursor_s)
    active = source.active if cursor is None else _sounding_at(history, view.choices.cursor_s)
    lines = [heading]
    airy = height - 2 - n_axis >= len(labels) + len(FAMILIES) - 1
    family = ""
    for label in labels:
        before, family = family, _family(label)
        if airy and before and before != family:
            lines.append([])
        on = label in active
        name = instrument(label) if name_width > 12 else short_instrument(label)
        name += "?" if label in view.state.unverified else ""
        head = Span(("● " if on else "  ") + fit(name, name_width) + " ", SOUNDING if on else MUTED)
        lines.append([head, *heat.row(label, values, cursor)])
    for line in heat.axis(with_stream=n_axis > 1):
        lines.append([*padded([], name_width + 3), *line])
    marks = _marks(view, heat)
    if marks and height - len(lines) > 0:
        lines.append([*padded([], name_width + 3), *marks])
    return lines[:height]


def right_edge(view: View, span_s: float) -> float:
    """The right edge of the map: the newest moment, or so that the cursor is in the picture."""
    source, cursor_s = view.source, view.choices.cursor_s
    if source is None:
        return 0.0
    newest = source.history.end_s
    if cursor_s is None or cursor_s > newest - span_s:
        return newest
    return min(newest, math.ceil((cursor_s + span_s / 2) / (span_s / 4)) * span_s / 4)


def _chosen(
    view: View, heat: HeatMap, values: list[bytes], n_rows: int, top: int | None
) -> list[str]:
    """The labels that get a row."""
    ordered = in_families(view.state.labels)
    if len(ordered) <= n_rows:
        return ordered
    if top is not None:
        top = min(top, len(ordered) - n_rows)
        return ordered[top : top + n_rows]
    history = heat.history
    sounded = {
        interval.label
        for interval in history.intervals
        if interval.onset_s <= heat.right_s
        and (interval.end_s is None or interval.end_s >= heat.left_s)
    }

    def strength(label: str) -> float:
        index = history.labels.index(label) if label in history.labels else -1
        best = max((column[index] for column in values if 0 <= index < len(column)), default=0)
        return best / 1000 + (label in sounded)

    best = set(sorted(ordered, key=strength, reverse=True)[: max(0, n_rows)])
    return [label for label in ordered if label in best]


def _family(label: str) -> str:
    return next((name for name, members in FAMILIES.items() if label in members), "other")


def _marks(view: View, heat: HeatMap) -> Line:
    """The user's marks under the axis."""
    cells = [" "] * heat.width
    source = view.source
    for entry in view.state.entries:
        if entry.kind == "mark" and source and entry.stream_s is not None:
            at = heat.cell(entry.stream_s + heat.history.offset_s)
            if entry.source == source.name and 0 <= at < heat.width:
                cells[at] = "⚑"
    return [Span("".join(cells), NOTICE)] if any(cell != " " for cell in cells) else []


def _moment(history: SourceHistory, axis_s: float) -> str:
    day = time_of_day(history.unix_time(axis_s))
    return f"{clock(history.stream_s(axis_s))}   {day}"


def _sounding_at(history: SourceHistory, axis_s: float | None) -> list[str]:
    """The labels that sounded at a moment."""
    return [interval.label for interval in _at(history, axis_s)]


def _at(history: SourceHistory, axis_s: float | None) -> list[Interval]:
    """What sounded at a moment, in the order of its onset."""
    found = []
    for one in history.intervals:
        end_s = history.end_s if one.end_s is None else one.end_s
        if axis_s is not None and one.onset_s - 1e-6 <= axis_s <= end_s + 1e-6:
            found.append(replace(one, end_s=end_s))
    return sorted(found, key=lambda one: one.onset_s)


def _at_cursor(view: View, width: int) -> Line:
    """What sounded at the cursor, or how much is known."""
    source, cursor_s = view.source, view.choices.cursor_s
    if source is None:
        return []
    history = source.history
    if cursor_s is None:
        known = duration(max(0.0, history.end_s - history.begin_s))
        return cut([Span(f"{known} of sound so far", FAINT)], width)
    found = _at(history, cursor_s)
    if not found:
        return cut([Span("nothing sounded then", BRIGHT)], width)
    for detail in (2, 1, 0):
        parts: Line = []
        for one in found:
            parts.append(Span(("   " if parts else "") + instrument(one.label), SOUNDING))
            if detail > 1:
                parts.append(Span(f" {clock(history.stream_s(one.onset_s))}", TEXT))
            if detail and one.end_s is not None:
                parts.append(Span(f" for {held(one.end_s - one.onset_s)}", MUTED))
        if line_len(parts) <= width:
            return parts
    return cut([Span(f"{counted(len(found), 'instrument')}, marked ●", SOUNDING)], width)
