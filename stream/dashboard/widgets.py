"""The parts of the picture: each turns a view into lines and keeps nothing else."""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len

from mmgat.stream.dashboard.drawing import (
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
    EvidenceColumns,
    Line,
    Span,
    band,
    bar,
    fit,
    flow,
    heading,
)
from mmgat.stream.dashboard.formatting import (
    StatusItem,
    clipping,
    clock,
    connection_text,
    estimate_text,
    event_text,
    health,
    held,
    identity,
    instrument,
)
from mmgat.stream.dashboard.panel import Panel, View
from mmgat.stream.dashboard.state import Connection

GAP: Final = 3

HELD_WIDTH: Final = 8
"""Cells for how long an instrument has been on, in rows of at least ``WIDE_ROW`` cells."""

WIDE_ROW: Final = 52
"""Cells between two columns of bars."""

GROUP: Final = 5
"""Labels between two gaps, where there is room for gaps: a place among five is found at once."""

FLOOR_DBFS: Final = -60.0
"""Left edge of the level meter; the default of the silence gate."""

HIGH_DBFS: Final = -12.0
HOT_DBFS: Final = -3.0

CONNECTION_ROLES: Final = {
    Connection.WAITING: NOTICE,
    Connection.LIVE: OK,
    Connection.STALE: WARNING,
    Connection.GONE: WARNING,
    Connection.ENDED: NOTICE,
    Connection.FAILED: ERROR,
}


class Header(Panel):
    """How things stand, which source, and the time in its stream."""

    def lines(self, view: View, width: int, height: int) -> list[Line]:
        """One line: connection and source on the left, the time in the stream on the right."""
        source = view.source
        connection = source.connection(view.now) if source else Connection.WAITING
        role = CONNECTION_ROLES[connection]
        left = [Span(f"● {connection_text(view.state, source, view.now)}", role)]
        if view.frozen:
            left.append(Span("   FROZEN (space resumes)", NOTICE))
        right = clock(source.estimate.t1) if source and source.estimate else ""
        used = sum(cell_len(span.text) for span in left)
        room = width - used - cell_len(right) - 2
        names = view.state.names()
        name = f"   {source.name}" if source else ""
        if source and len(names) > 1:
            name += f"  ({names.index(source.name) + 1} of {len(names)})"
        return [[*left, Span(fit(name, max(0, room)), TEXT), Span("  " + right, BRIGHT)]]


class LevelMeter(Panel):
    """The window's level in dBFS, and whether the input clips."""

    def lines(self, view: View, width: int, height: int) -> list[Line]:
        """One line: a bar from -60 to 0 dBFS, the level, and clipping."""
        source = view.source
        estimate = source.estimate if source else None
        level = estimate.level_dbfs if estimate else None
        clip = clipping(source, view.now) if source else None
        if level is None:
            words = "no signal yet"
        else:
            words = "no signal" if level <= -200 else f"{level:.0f} dBFS"
        tail = [Span(f"  {words:>8}", TEXT if level is not None else MUTED)]
        if clip:
            tail.append(Span("   " + clip.text, ERROR if clip.warning else MUTED))
        title = "level  "
        cells = max(0, min(60, width - len(title) - sum(cell_len(span.text) for span in tail)))
        length = 0.0 if level is None else 1 - min(1.0, max(0.0, level / FLOOR_DBFS))
        roles = bar(length, 0.0, None, cells, "ok")
        zones = [
            _zone(role, FLOOR_DBFS * (1 - (cell + 1) / cells)) for cell, role in enumerate(roles)
        ]
        return [[Span(title, MUTED), *band(zones, 0, 1), *tail]]


def _zone(role: ColorRole, dbfs: float) -> ColorRole:
    if role.name != "ok":
        return role
    return ERROR if dbfs > HOT_DBFS else WARNING if dbfs > HIGH_DBFS else role


class Bars(Panel):
    """All labels in the model's order, in one column or two: score, threshold and shadow."""

    def lines(self, view: View, width: int, height: int) -> list[Line]:
        """One line a label, in two columns where the height demands it."""
        labels = view.state.labels
        hello = view.state.hello
        unverified = hello.model.unverified if hello else []
        estimate = view.source.estimate if view.source else None
        left = "instruments"
        if words := estimate_text(estimate):
            left += f" — {words}"
        right = "? no recorded training data" if set(unverified) & set(labels) else ""
        room = height - 1
        columns = next((n for n in (1, 2, 3) if len(labels) <= n * room), 4)
        per_column = -(-len(labels) // columns)
        pitch = max(1, min(3, room // per_column))
        n_breaks = (per_column - 1) // GROUP
        group = GROUP if per_column * pitch + n_breaks <= room else per_column
        cell_width = (width - GAP * (columns - 1)) // columns
        lines = [heading(left, right, width)]
        for place in range(per_column):
            if place and place % group == 0:
                lines.append([])
            for row in range(pitch):
                line: Line = []
                for column in range(columns):
                    if column:
                        line.append(Span(" " * GAP, TEXT))
                    for label in labels[column * per_column :][place : place + 1]:
                        line += self._row(view, label, row, pitch, cell_width)
                lines.append(line)
        return lines[:height]

    def _row(self, view: View, label: str, row: int, pitch: int, width: int) -> Line:
        model = view.state.hello.model if view.state.hello else None
        estimate = view.source.estimate if view.source else None
        active = estimate is not None and label in estimate.active
        score = estimate.scores.get(label, 0.0) if estimate else 0.0
        recent = estimate.bag_scores.get(label, 0.0) if estimate else 0.0
        name = instrument(label) + ("?" if model and label in model.unverified else "")
        name_width = 18 if width >= 44 else 13 if width >= 26 else max(4, width - 12)
        since_width = HELD_WIDTH if width >= WIDE_ROW else 0
        sounding_s = view.source.sounding_s(label) if view.source else None
        percent = f" {100 * score:3.0f}" if active else " " * 4
        roles = bar(
            score,
            recent,
            model.thresholds.get(label) if model else None,
            max(0, width - name_width - 7 - since_width),
            "sounding" if active else "quiet",
        )
        near = estimate is not None and label in estimate.near_misses
        if row == (pitch - 1) // 2:
            role = SOUNDING if active else NOTICE if near else MUTED
            mark = "● " if active else "○ " if near else "  "
            head = [Span(mark + fit(name, name_width) + " ", role)]
            since = held(sounding_s).rjust(since_width) if since_width else ""
            tail = [Span(percent, SOUNDING), Span(since, TEXT)]
        else:
            head = [Span(" " * (name_width + 3), TEXT)]
            tail = [Span(" " * (4 + since_width), TEXT)]
        return [*head, *band(roles, row, pitch), *tail]


class EvidenceMap(Panel):
    """Which of the last seconds speak for the most relevant labels."""

    def lines(self, view: View, width: int, height: int) -> list[Line]:
        """A band for each of the most relevant labels, the newest second on the right."""
        source = view.source
        rows = source.rows if source else ()
        estimate = source.estimate if source else None
        span_s = float(view.state.hello.nodes) if view.state.hello else 10.0
        name_width = 18 if width >= 44 else 13
        cells = max(1, width - name_width - 3)
        lines = [self._heading(name_width + 3, cells, span_s)]
        columns = EvidenceColumns(source.estimates if source else (), span_s, cells)
        pitch = max(1, min(2, (height - 1) // max(1, len(rows))))
        for label in rows:
            active = estimate is not None and label in estimate.active
            roles = columns.strip(label)
            for row in range(pitch):
                mark = "● " if active else "  "
                head = mark + fit(instrument(label), name_width) + " "
                shown = head if row == 0 else " " * len(head)
                lines.append([Span(shown, SOUNDING if active else MUTED), *band(roles, row, pitch)])
        return lines[:height]

    @staticmethod
    def _heading(left: int, cells: int, span_s: float) -> Line:
        """The title, and seconds before now along the rule."""
        rule = ["─"] * cells
        for part in (0.0, 0.25, 0.5, 0.75) if cells >= 48 else (0.0, 0.5):
            start = round(part * cells)
            mark = f"{-span_s * (1 - part):.3g} s "
            rule[start : start + len(mark)] = mark
            if start:
                rule[start - 1] = " "
        rule[-4:] = " now"
        return [Span(fit("evidence", left), MUTED), Span("".join(rule[:cells]), MUTED)]


class EventLog(Panel):
    """What began and ended, newest first: a list, or one line where there is no room."""

    def lines(self, view: View, width: int, height: int) -> list[Line]:
        """As many events as the height allows."""
        events = view.source.events if view.source else ()
        if height == 1:
            notes = [StatusItem(_mark(event.event) + event_text(event)) for event in events[:8]]
            return flow(notes or [StatusItem("no events so far")], width, 1)
        lines = [heading("events", "", width)]
        for event in events[: height - 1]:
            on = event.event == "on"
            mark = Span(_mark(event.event), SOUNDING if on else FAINT)
            lines.append([mark, Span(fit(event_text(event), width - 2), TEXT if on else MUTED)])
        if not events:
            lines.append([Span("  no events so far", FAINT)])
        return lines


def _mark(event: str) -> str:
    return "● " if event == "on" else "○ "


class StatusLines(Panel):
    """Faults first, then how fast and how far the engine is, then input and model."""

    def lines(self, view: View, width: int, height: int) -> list[Line]:
        """Speed and faults, then the input and the model."""
        speed = health(view.state, view.source)
        faulty = any(note.warning for note in speed)
        lines = flow(speed, width, max(1, height - 1) if faulty else 1)
        return lines + flow(identity(view.state, view.source), width, height - len(lines))
