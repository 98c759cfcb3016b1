"""Evidence: which seconds speak for an instrument, and the graph that they were weighed in."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from mmgat.stream.bus.protocol import Estimate
from mmgat.stream.dashboard.drawing.bars import columns
from mmgat.stream.dashboard.drawing.cells import (
    BRIGHT,
    FAINT,
    MUTED,
    NOTICE,
    SOUNDING,
    TEXT,
    Line,
    Span,
    heading,
    spread,
    wrapped,
)
from mmgat.stream.dashboard.drawing.matrix import legend, matrices
from mmgat.stream.dashboard.drawing.words import clock, held, instrument, time_of_day
from mmgat.stream.dashboard.screens.frame import Keys, body_height, framed, quiet
from mmgat.stream.dashboard.screens.welcome import welcome
from mmgat.stream.dashboard.state.graph import GraphView
from mmgat.stream.dashboard.state.sources import SourceState
from mmgat.stream.dashboard.state.view import View

KEYS: Final[Keys] = (("↑ ↓", "instrument"), ("g", "graph"), ("space", "freeze"))
STRONG: Final = 0.5
"""Evidence, times the number of seconds, from which a second counts as one that speaks."""


def render(view: View, width: int, height: int) -> list[Line]:
    """One instrument's seconds above, the graph of the moment below."""
    room = body_height(height)
    return framed(view, "evidence", _body(view, width, room), KEYS, (width, height))


def _body(view: View, width: int, height: int) -> list[Line]:
    source = view.source
    if source is None:
        return welcome(view, width, height)
    if source.estimate is None:
        return [quiet("no estimate yet", width)]
    graph = GraphView() if source.graph is None else source.graph
    lines = [_title(view, source, source.estimate, width)]
    if view.choices.graph_only:
        return [lines[0], *_graph(graph, width, height - 1)]
    drawn = _graph(graph, width, height - 9) if height >= 16 else []
    room = height - 1 - len(drawn) - (1 if drawn else 0)
    lines += _seconds(view, source, width, min(room, 14))
    if drawn:
        lines += [[], *drawn]
    return lines


def _title(view: View, source: SourceState, estimate: Estimate, width: int) -> Line:
    label = view.label
    on = label in source.active
    near = label in source.near_misses
    score = estimate.scores.get(label, 0.0)
    threshold = view.state.threshold(label)
    words = [Span(f"{instrument(label)}", SOUNDING if on else NOTICE if near else BRIGHT)]
    if label in view.state.unverified:
        words.append(Span("? no recordings of it in training", MUTED))
    elif on:
        words.append(Span(f"  on for {held(source.sounding_s(label)) or 'a while'}", TEXT))
    else:
        words.append(Span("  nearly" if near else "  not on", MUTED))
    limit = ", never named" if threshold is None else f", begins at {100 * threshold:.0f}"
    if width < 60:
        limit = ""
    return spread(words, [Span(f"score {100 * score:.0f}{limit}", MUTED)], width)


def weights(source: SourceState, label: str) -> list[tuple[float, float]]:
    """Pairs of a second's start and how much it speaks, oldest first, of all phases.

    Evidence times the number of nodes: 1 is a score of 1 under even attention.
    """
    found = []
    for estimate in source.estimates:
        values = estimate.evidence.get(label, [])
        for t0, value in zip(estimate.evidence_t0, values, strict=False):
            found.append((t0, min(1.0, max(0.0, value * len(values)))))
    return sorted(found)


def _seconds(view: View, source: SourceState, width: int, height: int) -> list[Line]:
    found = weights(source, view.label)
    estimate = source.estimate
    if not found or estimate is None:
        return [quiet("no evidence: nothing sounds, or the engine does not send it", width)]
    cell_width = max(1, min(10, width // len(found)))
    found = found[-(width // cell_width) :]
    words = _strongest(source, found)
    lines: list[Line] = [
        [],
        *columns(
            [v for _, v in found],
            max(1, height - (4 if width >= 60 else 5)),
            cell_width,
            "sounding",
        ),
    ]
    lines.append(_axis([t0 for t0, _ in found], estimate.t1, cell_width, width))
    lines += wrapped(words, MUTED, width)[: 1 if width >= 60 else 2]
    return lines[-height:] if len(lines) > height else lines


def _strongest(source: SourceState, found: list[tuple[float, float]]) -> str:
    estimate = source.estimate
    strong = [pair for pair in found if pair[1] >= STRONG]
    if not strong or estimate is None:
        return "no second speaks clearly for it"
    t0 = max(strong, key=lambda pair: pair[1])[0]
    day = time_of_day(source.history.unix_time(t0 + source.history.offset_s))
    ago = max(0.0, estimate.t1 - t0 - 1)
    when = "the newest second" if ago < 0.75 else f"the second {ago:.0f} s ago"
    return f"{len(strong)} of {len(found)} windows speak for it, {when} most ({clock(t0)}, {day})"


def _axis(starts: list[float], end_s: float, cell_width: int, width: int) -> Line:
    """Seconds before now under the columns: each under the one that is nearest to it."""
    text = [" "] * min(width, cell_width * len(starts) + 6)
    agos = [end_s - t0 - 1 for t0 in starts]
    last = -9
    for index, ago in enumerate(agos):
        second = round(ago)
        nearest = min(range(len(agos)), key=lambda other: abs(agos[other] - second))
        at, mark = index * cell_width, f"-{second}" if second else "now"
        fits = at - last >= 5 and at + len(mark) <= len(text)
        if nearest == index and abs(ago - second) < 0.3 and fits:
            text[at : at + len(mark)] = mark
            last = at
    return [Span("".join(text), FAINT)]


def _graph(graph: GraphView, width: int, height: int) -> list[Line]:
    lines = [heading("the graph of the moment", _span(graph), width)]
    if not graph.times_s:
        return [*lines, quiet("none has come", width)]
    drawn = matrices(graph, width, height - 2)
    if not drawn:
        return [*lines, quiet("g shows it alone" if height < 20 else "no room for it", width)]
    return [*lines, *drawn, legend(width)]


def _span(graph: GraphView) -> str:
    n = len(graph.times_s)
    even = all(abs(b - a - 1) < 0.01 for a, b in pairwise(graph.times_s))
    return f"{n} seconds" + ("" if even else ", not all in a row") if n else ""
