"""Sources: all of them at once, a line each."""

from __future__ import annotations

from typing import Final

from mmgat.stream.dashboard.drawing.bars import meter
from mmgat.stream.dashboard.drawing.cells import (
    BRIGHT,
    FAINT,
    MUTED,
    SOUNDING,
    TEXT,
    WARNING,
    Line,
    Span,
    cut,
    fit,
    padded,
)
from mmgat.stream.dashboard.drawing.words import (
    connection_word,
    counted,
    duration,
    instrument,
    level,
    milliseconds,
    seconds_of,
)
from mmgat.stream.dashboard.screens.frame import (
    CONNECTION_MARKS,
    CONNECTION_ROLES,
    Keys,
    body_height,
    framed,
    title,
)
from mmgat.stream.dashboard.screens.welcome import welcome
from mmgat.stream.dashboard.state.sources import Connection, SourceState
from mmgat.stream.dashboard.state.view import View

KEYS: Final[Keys] = (
    ("↑ ↓", "choose"),
    ("enter", "show"),
    ("tab", "next"),
    ("shift+tab", "previous"),
)


def render(view: View, width: int, height: int) -> list[Line]:
    """State, level, what sounds, lag and losses of every source."""
    room = body_height(height)
    return framed(view, "sources", _body(view, width, room), KEYS, (width, height))


def _body(view: View, width: int, height: int) -> list[Line]:
    sources = view.state.heard()
    if not sources:
        return welcome(view, width, height)
    live = sum(source.connection(view.now) is Connection.LIVE for source in sources)
    lines = [title(counted(len(sources), "source"), f"{live} live", width)]
    pitch = 2 if width < 76 else 1
    air = width >= 76 and len(sources) * 2 + 1 <= height
    per_source = pitch + air
    n_shown = max(1, (height - 1) // per_source)
    row = min(view.choices.row, len(sources) - 1)
    first = min(max(0, row - n_shown + 1), max(0, len(sources) - n_shown))
    for index, source in enumerate(sources[first : first + n_shown], first):
        number = f"{index + 1:>{len(str(len(sources)))}}" if len(sources) > 1 else ""
        lines += _source_lines(view, source, width, number, chosen=index == row)
        if air:
            lines.append(_labels_line(source, width) if _cut_short(lines[-1]) else [])
    return lines[:height]


def _cut_short(line: Line) -> bool:
    return any(span.role == SOUNDING and span.text.endswith("…") for span in line)


def _labels_line(source: SourceState, width: int) -> Line:
    """All that sounds, where the source's own line has no room for it."""
    return cut(
        [Span("     ", TEXT), Span(", ".join(map(instrument, source.active)), SOUNDING)], width
    )


def _source_lines(
    view: View, source: SourceState, width: int, number: str, *, chosen: bool
) -> list[Line]:
    connection = source.connection(view.now)
    role = CONNECTION_ROLES[connection]
    shown = view.source is not None and view.source.name == source.name
    cursor = Span(("▸" if chosen else " ") + number, SOUNDING if chosen else MUTED)
    mark = Span(f"{CONNECTION_MARKS[connection]} ", role)
    estimate, status = source.estimate, source.status
    moving = connection is Connection.LIVE
    dbfs = estimate.level_dbfs if estimate and moving else None
    sounding: Line = [
        Span(", ".join(map(instrument, source.active)) or "—", SOUNDING if source.active else FAINT)
    ]
    if not moving:
        why = f": {status.message}" if status and status.message else ""
        sounding = [Span(connection_word(connection) + why, role)]
    lost: Line = []
    if status:
        if status.dropped:
            lost.append(Span(f"{duration(seconds_of(status, status.dropped))} dropped", WARNING))
        elif status.xruns or status.outages:
            n = status.xruns + status.outages
            lost.append(Span(counted(n, "gap"), WARNING))
        elif connection in (Connection.LIVE, Connection.ENDED):
            lost.append(Span("nothing lost", MUTED))
    lag = milliseconds(status.lag_ms) if status and moving else ""
    name_role = BRIGHT if shown else TEXT
    if width < 76:
        name_width = min(22, width - 18)
        first = [cursor, mark, Span(fit(source.name, name_width) + " ", name_role)]
        words = level(dbfs) if moving else connection_word(connection)
        tail = [Span(f"{words:>13}", TEXT if moving else role)]
        second = [Span("    ", TEXT), *sounding, Span("  ", TEXT)]
        if not moving and not (status and status.message):
            second = [Span("    ", TEXT), *lost]  # the first line says how it stands
        elif lost and lost[0].role == WARNING:
            second += lost
        return [cut([*first, *tail], width), cut(second, width)]
    name_width = 18 if width < 110 else 26
    cells = 8 if width < 110 else 16
    tail_width = 9 + 17
    left: Line = [
        cursor,
        mark,
        Span(fit(source.name, name_width) + " ", name_role),
        *meter(dbfs, cells),
        Span(f" {level(dbfs) if moving else '':>9}  ", TEXT),
    ]
    room = width - sum(len(span.text) for span in left) - tail_width
    return [[*left, *padded(cut(sounding, room), room), Span(f"{lag:>7}  ", MUTED), *lost]]
