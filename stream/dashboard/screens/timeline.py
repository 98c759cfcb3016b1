"""Timeline: every instrument over the last minutes, with the brackets of what began and ended."""

from __future__ import annotations

import math
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
    padded,
)
from mmgat.stream.dashboard.drawing.heat import HeatMap
from mmgat.stream.dashboard.drawing.words import (
    clock,
    duration,
    held,
    instrument,
    short_instrument,
    span,
    time_of_day,
)
from mmgat.stream.dashboard.screens.frame import Keys, body_height, framed, quiet, title
from mmgat.stream.dashboard.screens.welcome import welcome
from mmgat.stream.dashboard.state.history import SourceHistory
from mmgat.stream.dashboard.state.view import View

KEYS: Final[Keys] = (
    ("← →", "move"),
    ("+ -", "zoom"),
    ("[ ]", "previous, next event"),
    ("end", "follow"),
    ("m", "mark"),
    ("x", "export"),
)


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
    heading = title(f"the last {span(choices.span_s)}", where, width)
    if choices.cursor_s is not None:
        heading = title(_moment(source.history, choices.cursor_s), where, width)
    lines = map_lines(view, width, height - 1, choices.span_s, heading)
    return [*lines, *_at_cursor(view, width)][:height]


def map_lines(view: View, width: int, height: int, span_s: float, heading: Line) -> list[Line]:
    """A heading, the map's rows and its axis in at most ``height`` lines.

    Where there is no room for all instruments, those that sounded are shown, then those with the
    highest scores; all keep the order of their families.
    """
    source = view.source
    if source is None:
        return []
    history = source.history
    name_width = 18 if width >= 100 else 12
    cells = max(1, width - name_width - 3)
    heat = HeatMap(history, span_s, cells, right_edge(view, span_s))
    values = heat.values()
    n_axis = 2 if height >= 8 else 1
    labels = _chosen(view, heat, values, height - 1 - n_axis)
    if not labels:
        return [heading, quiet("nothing has sounded in this time", width)]
    cursor = None if view.choices.cursor_s is None else heat.cell(view.choices.cursor_s)
    active = source.active
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


def _chosen(view: View, heat: HeatMap, values: list[bytes], n_rows: int) -> list[str]:
    """The labels that get a row."""
    labels = view.state.labels
    ordered = [label for members in FAMILIES.values() for label in members if label in labels]
    ordered += [label for label in labels if label not in ordered]
    if len(ordered) <= n_rows:
        return ordered
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


def _at_cursor(view: View, width: int) -> list[Line]:
    """What sounded at the cursor, or what sounds now."""
    source, cursor_s = view.source, view.choices.cursor_s
    if source is None:
        return []
    if cursor_s is None:
        begin_s = source.history.begin_s
        known = duration(max(0.0, source.history.end_s - begin_s))
        return [cut([Span(f"{known} are known", FAINT)], width)]
    parts: Line = []
    for interval in source.history.intervals:
        end_s = source.history.end_s if interval.end_s is None else interval.end_s
        if interval.onset_s - 1e-6 <= cursor_s <= end_s + 1e-6:
            parts += [
                Span(f"{instrument(interval.label)} ", SOUNDING),
                Span(f"{clock(source.history.stream_s(interval.onset_s))}", TEXT),
                Span(f" for {held(end_s - interval.onset_s)}   ", MUTED),
            ]
    return [cut(parts or [Span("nothing sounded then", BRIGHT)], width)]
