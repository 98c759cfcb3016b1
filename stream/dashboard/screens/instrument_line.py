"""One instrument's line: its mark, name, score beside its threshold, and for how long it is on."""

from __future__ import annotations

from mmgat.stream.dashboard.drawing.bars import bar
from mmgat.stream.dashboard.drawing.cells import (
    MUTED,
    NOTICE,
    QUIET,
    SOUNDING,
    TEXT,
    Line,
    Span,
    fit,
)
from mmgat.stream.dashboard.drawing.words import held, instrument, short_instrument
from mmgat.stream.dashboard.state.view import View


def label_line(view: View, label: str, width: int) -> Line:
    """One instrument: its mark, name, bar, score and for how long it is on."""
    source = view.source
    estimate = source.estimate if source else None
    active = source is not None and label in source.active
    near = source is not None and label in source.near_misses
    muted = view.state.muted(label)
    score = estimate.scores.get(label, 0.0) if estimate else 0.0
    name_width = 18 if width >= 52 else 12
    name = instrument(label) if width >= 52 else short_instrument(label)
    name += "?" if label in view.state.unverified else ""
    lit = SOUNDING if active and not view.doubtful else MUTED
    role = lit if active else NOTICE if near else MUTED
    chosen = view.choices.label == label
    mark = "▸ " if chosen else "● " if active else "○ " if near else "× " if muted else "  "
    percent = f" {100 * score:3.0f}" if active or near else " " * 4
    since = held(source.sounding_s(label)) if source and active else ""
    cells = width - name_width - 2 - 4 - 6
    colour = lit if active else NOTICE if near else QUIET
    peak = source.peak(label) if source else 0.0
    return [
        Span(mark + fit(name, name_width), role),
        *bar(score, peak, view.state.threshold(label), cells, colour),
        Span(percent, role),
        Span(f"{since:>6}", TEXT),
    ]
