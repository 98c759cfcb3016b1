"""What every screen has around its picture: how things stand, the level, the keys."""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len

from mmgat.stream.dashboard.drawing.bars import meter
from mmgat.stream.dashboard.drawing.cells import (
    BRIGHT,
    ERROR,
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
    flow,
    line_len,
    spread,
    wrapped,
)
from mmgat.stream.dashboard.drawing.words import (
    NO_SIGNAL_DBFS,
    clipping,
    clock,
    connection_text,
    connection_words,
    health,
    level,
    time_of_day,
)
from mmgat.stream.dashboard.state.sources import Connection
from mmgat.stream.dashboard.state.view import View

SCREENS: Final = ("now", "timeline", "evidence", "sources", "health", "log")
"""The screens in the order of their keys, from 1 on."""

LOW: Final = 12
"""Lines below which the level has no line of its own."""

HIGH: Final = 22
"""Lines from which the screen's own keys have a line."""

CONNECTION_ROLES: Final = {
    Connection.WAITING: NOTICE,
    Connection.LIVE: OK,
    Connection.PAUSED: NOTICE,
    Connection.STALE: WARNING,
    Connection.GONE: WARNING,
    Connection.ENDED: NOTICE,
    Connection.FAILED: ERROR,
}
CONNECTION_MARKS: Final = {
    Connection.WAITING: "○",
    Connection.LIVE: "●",
    Connection.PAUSED: "‖",
    Connection.STALE: "▲",
    Connection.GONE: "▲",
    Connection.ENDED: "■",
    Connection.FAILED: "×",
}

Keys = tuple[tuple[str, str], ...]
"""Pairs of a key and what it does, the most useful first."""


def framed(
    view: View, name: str, body: list[Line], keys: Keys, size: tuple[int, int]
) -> list[Line]:
    """The picture with its frame: exactly as many lines as the screen has."""
    width, height = size
    lines = [header(view, width)]
    if height >= LOW:
        lines.append(level_line(view, width))
    if height >= HIGH:
        lines.append([])
    lines += body[: body_height(height)]
    feet = [_tabs(name, width)]
    if height >= HIGH:
        feet.insert(0, _own_keys(keys, width))
    if note := _note(view, width):
        # An answer takes the place of the keys, and of the picture's last lines if it is long.
        feet = [*note, *feet[1:]][-height:]
    lines += [[]] * (height - len(lines) - len(feet))
    return lines[: height - len(feet)] + feet


def body_height(height: int) -> int:
    """The lines between the frame's."""
    return max(0, height - 2 - (height >= LOW) - 2 * (height >= HIGH))


def header(view: View, width: int) -> Line:
    """Connection and source on the left, time of day and time in the stream on the right."""
    source, connection = view.source, view.connection
    role = CONNECTION_ROLES[connection]
    text = connection_text(view.state, source, view.now)
    if source and cell_len(text) > width - 12:
        text = connection_words(source, view.now)
    if view.replay and connection in (Connection.LIVE, Connection.STALE, Connection.GONE):
        text = f"REPLAY {view.replay}"
    at_end = view.ended and connection is not Connection.FAILED
    mark = CONNECTION_MARKS[Connection.ENDED if at_end else connection]
    left = [Span(f"{mark} {text}", role)]
    if view.frozen:
        left.append(Span("  FROZEN", NOTICE))
    names = [one.name for one in view.state.heard()]
    stream = clock(source.estimate.t1) if source and source.estimate else ""
    if source:
        info = view.state.info(source.name)
        device = f" (from {info.device})" if info and info.device else ""
        place = f"  {names.index(source.name) + 1} of {len(names)}" if len(names) > 1 else ""
        room = width - line_len(left) - len(place) - len(stream) - 3
        name = source.name + device
        left.append(Span("  " + fit(name, min(cell_len(name), max(8, room))), TEXT))
        if place:
            left.append(Span(place, MUTED))
    right: Line = []
    if stream:
        day = time_of_day(view.unix_now)
        roomy = width - line_len(left) > len(stream) + len(day) + 6
        if view.unix_now and roomy and width >= 60:
            right.append(Span(f"{day}   ", MUTED))
        right.append(Span(stream, BRIGHT))
    return spread(left, right, width)


def level_line(view: View, width: int) -> Line:
    """The level on the left; what is lost and how far behind the engine is on the right."""
    source = view.source
    estimate = source.estimate if source else None
    dbfs = estimate.level_dbfs if estimate else None
    still = view.connection not in (Connection.LIVE, Connection.WAITING)
    items = health(view.state, source, view.now)
    info = view.state.info(source.name) if source else None
    clip = clipping(source, info, view.now) if source else None
    notes = [Span(item.text, WARNING if item.warning else MUTED) for item in items]
    if clip:
        notes.insert(0, Span(clip.text, ERROR if clip.warning else MUTED))
    if source is None:
        return []
    words = "" if still else level(dbfs)
    warned = any(note.role in (WARNING, ERROR) for note in notes)
    cells = max(6, min(40, width // 4))
    left: Line = [Span("level ", MUTED), *meter(None if still else dbfs, cells)]
    silent = dbfs is None or dbfs <= NO_SIGNAL_DBFS
    left.append(Span(f" {words:>8}", MUTED if silent else TEXT))
    if width < 60 and warned:
        left = [Span(f"{words}  ", TEXT)]
    room = width - line_len(left) - 3
    if not warned:
        notes = [note for note in notes if cell_len(note.text) <= room]
    right = flow(notes, max(0, room), 1) if room > 5 else []
    return spread(left, right[0] if right else [], width)


def _tabs(current: str, width: int) -> Line:
    """The screens with their keys, the current one marked, then help and the way out."""
    right = [Span("?", TEXT), Span(" help  ", MUTED), Span("q", TEXT), Span(" quit", MUTED)]
    full = sum(len(name) + 4 for name in SCREENS) + line_len(right) <= width
    left: Line = []
    for number, name in enumerate(SCREENS, 1):
        on = name == current
        gap = "  " if full or width >= 44 else " "
        if on:
            left += [Span(f"{number} {name}", SOUNDING), Span(gap, TEXT)]
        else:
            left.append(Span(str(number), TEXT))
            left.append(Span(f" {name}{gap}" if full else gap, MUTED))
    if line_len(left) + line_len(right) > width:
        right = [Span("?", TEXT), Span(" help", MUTED)]
    return spread(left, right, width)


def _own_keys(keys: Keys, width: int) -> Line:
    """The keys of this screen, as many as fit."""
    line: Line = []
    for key, what in keys:
        if line_len(line) + cell_len(f"{key} {what}  ") > width:
            break
        line += [Span(key, TEXT), Span(f" {what}  ", MUTED)]
    return line


def _note(view: View, width: int) -> list[Line]:
    """The answer to the last action, on as many lines as it needs."""
    lines = wrapped(view.choices.note, BRIGHT, width - 2)
    return [[Span("  " if n else "▸ ", SOUNDING), *line] for n, line in enumerate(lines)]


def title(text: str, remark: str, width: int) -> Line:
    """A screen's heading: what it shows, and what is chosen."""
    left: Line = [Span(text, BRIGHT)]
    return spread(left, [Span(remark, MUTED)] if remark else [], width)


def quiet(text: str, width: int, role: ColorRole = FAINT) -> Line:
    """A line that says that there is nothing to see yet."""
    return cut([Span(text, role)], width)
