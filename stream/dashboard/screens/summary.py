"""What was heard, once a source is over."""

from __future__ import annotations

from typing import Final

from mmgat.stream.bus.protocol import Status
from mmgat.stream.dashboard.drawing.bars import bar
from mmgat.stream.dashboard.drawing.cells import (
    BRIGHT,
    ERROR,
    MUTED,
    SOUNDING,
    TEXT,
    Line,
    Span,
    fit,
    spread,
    wrapped,
)
from mmgat.stream.dashboard.drawing.words import (
    counted,
    duration,
    instrument,
    losses,
    seconds_of,
)
from mmgat.stream.dashboard.state.view import View

HIGH: Final = 12
"""Lines from which there is room for blank ones."""


def heard_lines(view: View, width: int, height: int) -> list[Line]:
    """How long every instrument sounded, the longest first, and what was lost; it scrolls."""
    source = view.source
    if source is None:
        return []
    status, rows = source.status, list(source.history.heard_s().items())
    known_s = source.history.end_s - source.history.begin_s
    total_s = max(seconds_of(status, status.captured) if status else known_s, 1e-9)
    above, below = _why(status, width), _below(view, status, width, height)
    room = _room(above, below, height)
    scroll = min(view.choices.scroll, max(0, len(rows) - room))
    n_named = counted(len(rows), "instrument") if rows else "no instrument"
    head = Span(f"{source.name} has ended" if width >= 60 else "ended", BRIGHT)
    n_more = len(rows) - scroll - room
    more = [Span(f"↓ {n_more} more" if width >= 60 else f"↓ {n_more}", MUTED)] if n_more > 0 else []
    lines = [*above, spread([head, Span(f": {n_named} in {duration(total_s)}", TEXT)], more, width)]
    if height >= HIGH:
        lines.append([])
    for label, seconds in rows[scroll : scroll + room]:
        share = min(1.0, seconds / total_s)
        lines.append(
            [
                Span(fit(instrument(label), 18), SOUNDING),
                *bar(share, 0.0, None, max(0, min(50, width - 18 - 8 - 7)), SOUNDING),
                Span(f" {duration(seconds):>7}", TEXT),
                Span(f" {100 * share:4.0f} %", MUTED),
            ]
        )
    return [*lines, *below][:height]


def last_scroll(view: View, width: int, height: int) -> int:
    """By how many lines the instruments can be scrolled."""
    source = view.source
    if source is None:
        return 0
    above, below = _why(source.status, width), _below(view, source.status, width, height)
    return max(0, len(source.history.heard_s()) - _room(above, below, height))


def _room(above: list[Line], below: list[Line], height: int) -> int:
    """The lines for instruments."""
    return max(1, height - len(above) - len(below) - 1 - (height >= HIGH))


def _why(status: Status | None, width: int) -> list[Line]:
    """Why it failed, if it did."""
    if status is None or status.state != "failed":
        return []
    return [*wrapped(status.message or "the source failed", ERROR, width), []]


def _below(view: View, status: Status | None, width: int, height: int) -> list[Line]:
    """What was lost, and where there is more."""
    found = losses(view.state, status if status and status.state != "failed" else None)
    lines: list[Line] = [[], *wrapped("lost: " + "; ".join(found), MUTED, width)] if found else []
    if height >= HIGH:
        lines += [[], [Span("2 shows when, 6 every event, x exports them", MUTED)]]
    return lines
