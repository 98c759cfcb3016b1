"""What sounds, as large as it fits: names, scores, for how long and since when."""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len

from mmgat.stream.dashboard.drawing.cells import (
    BRIGHT,
    FAINT,
    MUTED,
    SOUNDING,
    ColorRole,
    Line,
    Span,
    beside,
    padded,
)
from mmgat.stream.dashboard.drawing.letters import can_write, height_of, large, width_of
from mmgat.stream.dashboard.drawing.words import (
    estimate_text,
    held,
    instrument,
    level,
    no_signal,
    short_instrument,
    time_of_day,
)
from mmgat.stream.dashboard.state.sources import Connection
from mmgat.stream.dashboard.state.view import View

GAP: Final = 4
SCALES: Final = (4, 3, 2, 1)


def hero(view: View, width: int, height: int) -> list[Line]:
    """What is on, as large as it fits; exactly ``height`` lines."""
    labels = sorted(
        view.source.active if view.source else (), key=lambda label: _onset(view, label)
    )
    lines: list[Line] = []
    if not labels:
        lines = _nothing(view, width, height)
    for scale in SCALES:
        for since in (True, False):
            lines = lines or _large(view, labels, scale, (width, height), since=since)
    lines = lines or _plain(view, labels, width, height)
    return (lines + [[]] * height)[:height]


def _role(view: View) -> ColorRole:
    """Of what is on; it steps back where it may be over."""
    return MUTED if view.doubtful else SOUNDING


def _onset(view: View, label: str) -> float:
    source = view.source
    interval = source.history.sounding.get(label) if source else None
    return interval.onset_s if interval else 0.0


def _nothing(view: View, width: int, height: int) -> list[Line]:
    estimate = view.source.estimate if view.source else None
    words = estimate_text(estimate) or "no instrument above its threshold"
    if estimate is None:
        words = "waiting for the first second of sound"
    if view.doubtful and estimate:
        return [[Span("nothing new comes; what was on has ended", MUTED)]]
    if view.connection is Connection.PAUSED:
        return [[Span("paused: nothing is recognised", MUTED)]]
    lines: list[Line] = [[Span(words, MUTED)]]
    if estimate and estimate.silent and height >= 4 and width_of("silence", 1) <= width:
        big: list[Line] = [[Span(line, FAINT)] for line in large("silence", 1)]
        dbfs = estimate.level_dbfs
        found = "there is no signal" if no_signal(dbfs) else f"the input is at {level(dbfs)}"
        return [*big, [Span(found, MUTED)]]
    return lines


def _large(
    view: View, labels: list[str], scale: int, size: tuple[int, int], *, since: bool
) -> list[Line]:
    """Names as large letters, side by side and beneath each other; [] where they do not fit.

    Args:
        view: what is shown.
        labels: what is on.
        scale: of the letters.
        size: width and height that there are.
        since: each has room for the time of day since when.
    """
    width, height = size
    names = [short_instrument(label) for label in labels]
    if not all(can_write(name) for name in names):
        return []
    gap = GAP * scale
    rows: list[list[str]] = []
    used = 0
    for label, name in zip(labels, names, strict=True):
        wide = _block_width(label, name, scale, since=since)
        if wide > width:
            return []
        if rows and used + gap + wide <= width:
            rows[-1].append(label)
            used += gap + wide
        else:
            rows.append([label])
            used = wide
    tall = height_of(scale) + 1
    spare = height - tall * len(rows)
    if spare < 0:
        return []
    between = 1 if spare >= len(rows) - 1 else 0
    lines: list[Line] = []
    for row in rows:
        if lines and between:
            lines.append([])
        blocks, widths = [], []
        for label in row:
            name = short_instrument(label)
            block: list[Line] = [[Span(line, _role(view))] for line in large(name, scale)]
            widths.append(_block_width(label, name, scale, since=since))
            blocks.append([*block, _caption(view, label, widths[-1])])
        lines += beside(blocks, widths, gap)
    return lines


def _block_width(label: str, name: str, scale: int, *, since: bool) -> int:
    return max(width_of(name, scale), cell_len(instrument(label)) + (27 if since else 11))


def _caption(view: View, label: str, width: int, *, scored: bool = True) -> Line:
    """Name, score, for how long, and since when, as far as there is room."""
    source = view.source
    if source is None:
        return []
    name = instrument(label) + ("?" if label in view.state.unverified else "")
    for_s = source.sounding_s(label)
    parts = [Span(name, _role(view))]
    if scored:
        parts.append(Span(f"  {_score(view, label)}", _role(view)))
    if for_s is None:
        return parts
    parts.append(Span(f"  {held(for_s)}", BRIGHT))
    since = time_of_day(source.history.unix_time(_onset(view, label)))
    if not since.startswith("-") and len(since) + 8 <= width - sum(len(p.text) for p in parts):
        parts.append(Span(f"  since {since}", MUTED))
    return parts


def _score(view: View, label: str) -> str:
    estimate = view.source.estimate if view.source else None
    return f"{100 * estimate.scores.get(label, 0.0):.0f}" if estimate else ""


def _plain(view: View, labels: list[str], width: int, height: int) -> list[Line]:
    """Names in lines, where large letters have no room."""
    columns = 1 if len(labels) <= height or width < 44 else 2
    each = (width - 2 * (columns - 1)) // columns
    per_column = -(-len(labels) // columns)
    blocks = []
    for column in range(columns):
        lines: list[Line] = []
        for label in labels[column * per_column : (column + 1) * per_column]:
            tail = Span(f"{_score(view, label):>3} ", _role(view))
            caption = _caption(view, label, each - 6, scored=False)
            lines.append([Span("● ", _role(view)), *padded(caption, each - 6), tail])
        if len(lines) > height:
            more = len(lines) - height + 1
            lines = [*lines[: height - 1], [Span(f"  and {more} more", MUTED)]]
        blocks.append(lines)
    return beside(blocks, [each] * columns, 2)
