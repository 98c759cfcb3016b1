"""What was heard, once a source is over."""

from __future__ import annotations

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


def heard_lines(view: View, width: int, height: int) -> list[Line]:
    """How long every instrument sounded, the longest first, and what was lost."""
    source = view.source
    if source is None or source.status is None:
        return []
    status, heard = source.status, source.history.heard_s()
    total_s = max(seconds_of(status, status.captured), 1e-9)
    lines: list[Line] = []
    if status.state == "failed":
        lines += wrapped(status.message or "the source failed", ERROR, width)
        lines.append([])
    n_named = counted(len(heard), "instrument") if heard else "no instrument"
    lines.append(
        [
            Span(f"{source.name} has ended", BRIGHT),
            Span(f": {n_named} in {duration(total_s)}", TEXT),
        ]
    )
    if height >= 12:
        lines.append([])
    found = losses(view.state, status if status.state != "failed" else None)
    room = max(1, height - len(lines) - (2 if found else 0) - 1)
    rows = list(heard.items())
    for label, seconds in rows[: room if len(rows) <= room else room - 1]:
        cells = max(0, min(50, width - 18 - 8 - 7))
        share = min(1.0, seconds / total_s)
        lines.append(
            [
                Span(fit(instrument(label), 18), SOUNDING),
                *bar(share, 0.0, None, cells, SOUNDING),
                Span(f" {duration(seconds):>7}", TEXT),
                Span(f" {100 * share:4.0f} %", MUTED),
            ]
        )
    if len(rows) > room:
        lines.append([Span(f"and {len(rows) - room + 1} more", MUTED)])
    if found:
        lines += [[], *wrapped("lost: " + "; ".join(found), MUTED, width)]
    lines += [[], [Span("2 shows when, 6 every event, x exports them", MUTED)]]
    return lines[:height]
