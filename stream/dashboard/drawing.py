"""Terminal cells: bars, evidence strips, headings and flowing text as lines of coloured spans.

Everything here is pure: numbers and widths in, lines out. Only the names of roles appear; their
colours stand in ``dashboard.tcss``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size

from mmgat.stream.bus.protocol import Estimate
from mmgat.stream.dashboard.formatting import StatusItem

MIX_STEPS: Final = 8


class ColorRole(NamedTuple):
    """A colour by name, or ``step`` / ``MIX_STEPS`` of the way from it to ``other``."""

    name: str
    other: str = ""
    step: int = 0


class Span(NamedTuple):
    """Text in one role."""

    text: str
    role: ColorRole


Line = list[Span]

TEXT: Final = ColorRole("text")
MUTED: Final = ColorRole("muted")
FAINT: Final = ColorRole("faint")
BRIGHT: Final = ColorRole("bright")
SOUNDING: Final = ColorRole("sounding")
OK: Final = ColorRole("ok")
NOTICE: Final = ColorRole("notice")
WARNING: Final = ColorRole("warning")
ERROR: Final = ColorRole("error")
SEPARATOR: Final = " · "


def mix(name: str, other: str, part: float) -> ColorRole:
    """The role ``part`` (0 to 1) of the way from one to the other, in few steps."""
    step = round(min(1.0, max(0.0, part)) * MIX_STEPS)
    return (
        ColorRole(name)
        if step == 0
        else ColorRole(other)
        if step == MIX_STEPS
        else ColorRole(name, other, step)
    )


def fit(text: str, width: int) -> str:
    """Text in exactly ``width`` cells; what is cut ends in an ellipsis."""
    if cell_len(text) > width > 0:
        return set_cell_size(text, width - 1) + "…"
    return set_cell_size(text, width)


def bar(
    score: float, recent: float, threshold: float | None, width: int, role: str
) -> list[ColorRole]:
    """The roles of a bar of 0 to 1; a cell in part covered has a mixed role.

    Args:
        score: length of the bar.
        recent: length of its faint shadow.
        threshold: where the tick stands.
        width: in cells.
        role: of the bar.
    """
    roles = []
    for cell in range(width):
        covered, shaded = score * width - cell, recent * width - cell
        under = "shadow" if shaded >= 0.5 else "track"
        roles.append(mix(under, role, covered) if covered > 0 else mix("track", "shadow", shaded))
    if threshold is not None and width:
        roles[tick_cell(threshold, width)] = ColorRole("tick")
    return roles


def tick_cell(threshold: float, width: int) -> int:
    """The cell of the tick."""
    return min(width - 1, max(0, int(threshold * width)))


def band(roles: Sequence[ColorRole], row: int, pitch: int) -> Line:
    """One of the ``pitch`` rows of a bar or strip, with a gap beneath the last."""
    last = row == pitch - 1
    glyph, tick = ("▆", "│") if pitch == 1 else ("▀", "╵") if last else ("█", "│")
    spans: Line = []
    for role in roles:
        text = tick if role.name == "tick" else glyph
        if spans and spans[-1].role == role:
            spans[-1] = Span(spans[-1].text + text, role)
        else:
            spans.append(Span(text, role))
    return spans


def heading(left: str, right: str, width: int) -> Line:
    """A title at the left and a remark at the right of a thin rule."""
    right = fit(right, min(cell_len(right), max(0, width - cell_len(left) - 4)))
    rule = width - cell_len(left) - cell_len(right) - (2 if right else 1)
    tail = [Span(f" {right}", MUTED)] if right else []
    return [Span(left, MUTED), Span(" " + "─" * rule, FAINT), *tail]


def flow(notes: Sequence[StatusItem], width: int, height: int) -> list[Line]:
    """Notes one after the other on up to ``height`` lines; those that do not fit are left out."""
    lines: list[Line] = []
    room = 0
    for note in notes:
        role = WARNING if note.warning else MUTED
        text = fit(note.text, min(width, cell_len(note.text)))
        if lines and cell_len(SEPARATOR + text) <= room:
            lines[-1] += [Span(SEPARATOR, FAINT), Span(text, role)]
            room -= cell_len(SEPARATOR + text)
        elif len(lines) < height:
            lines.append([Span(text, role)])
            room = width - cell_len(text)
    return lines


class EvidenceColumns:
    """The windows that every cell of an evidence strip stands for.

    Args:
        estimates: the newest graph of every phase.
        span_s: seconds from the left to the right edge; the right edge is the newest window's end.
        width: in cells.

    A cell shows the strongest of the windows that begin in it, or else the last window that began
    before it and still sounds there.
    """

    def __init__(self, estimates: Sequence[Estimate], span_s: float, width: int) -> None:
        moments = sorted(
            ((t0, node, estimate) for estimate in estimates
             for node, t0 in enumerate(estimate.evidence_t0)),
            key=lambda moment: moment[0],
        )  # fmt: skip
        end = estimates[-1].t1 if estimates else 0.0
        edges = [end - span_s + span_s * cell / width for cell in range(width + 1)]
        self._cells: list[list[tuple[int, Estimate]]] = []
        next_moment, last = 0, None
        for left, right in pairwise(edges):
            found = []
            while next_moment < len(moments) and moments[next_moment][0] < right - 1e-6:
                last = moments[next_moment]
                if last[0] >= left - 1e-6:
                    found.append(last[1:])
                next_moment += 1
            if not found and last is not None and left < last[0] + 1 - 1e-6:
                found.append(last[1:])
            self._cells.append(found)

    def strip(self, label: str) -> list[ColorRole]:
        """The roles of one label.

        Evidence times the number of nodes: full brightness is a score of 1 under even attention.
        """
        return [
            mix("dark", "sounding", max((_weight(label, *moment) for moment in cell), default=0.0))
            for cell in self._cells
        ]


def _weight(label: str, node: int, estimate: Estimate) -> float:
    values = estimate.evidence.get(label, [])
    return values[node] * len(values) if node < len(values) else 0.0
