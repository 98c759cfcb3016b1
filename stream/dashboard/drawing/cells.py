"""Terminal cells: lines of spans, each in a colour role.

Everything here is pure: numbers and widths in, lines out. Only the names of roles appear; their
colours are the themes'.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size

MIX_STEPS: Final = 8

ROLES: Final = (
    "text", "muted", "faint", "bright", "sounding", "quiet", "track", "peak", "tick", "dark",
    "ok", "notice", "warning", "error",
)  # fmt: skip


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
QUIET: Final = ColorRole("quiet")
TRACK: Final = ColorRole("track")
PEAK: Final = ColorRole("peak")
TICK: Final = ColorRole("tick")
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


def line_len(line: Iterable[Span]) -> int:
    """The width of a line in cells."""
    return sum(cell_len(span.text) for span in line)


def joined(cells: Iterable[tuple[str, ColorRole]]) -> Line:
    """Single cells as a line, with neighbours of one role in one span."""
    spans: Line = []
    for text, role in cells:
        if spans and spans[-1].role == role:
            spans[-1] = Span(spans[-1].text + text, role)
        else:
            spans.append(Span(text, role))
    return spans


def blank(width: int) -> Line:
    """Spaces."""
    return [Span(" " * max(0, width), TEXT)]


def padded(line: Line, width: int) -> Line:
    """A line that is filled with spaces to ``width`` cells."""
    missing = width - line_len(line)
    return [*line, *blank(missing)] if missing > 0 else line


def cut(line: Line, width: int) -> Line:
    """A line of at most ``width`` cells."""
    kept: Line = []
    for span in line:
        room = width - line_len(kept)
        if room <= 0:
            break
        kept.append(span if cell_len(span.text) <= room else Span(fit(span.text, room), span.role))
    return kept


def spread(left: Line, right: Line, width: int) -> Line:
    """Two parts of a line at its ends; the left one is cut where they meet."""
    room = width - line_len(right) - (1 if right else 0)
    if room <= 0:
        return cut(left, width)
    return [*padded(cut(left, room), room + (1 if right else 0)), *right]


def beside(columns: Sequence[Sequence[Line]], widths: Sequence[int], gap: int) -> list[Line]:
    """Blocks of lines next to each other, with ``gap`` cells between them."""
    height = max((len(column) for column in columns), default=0)
    lines = []
    for y in range(height):
        line: Line = []
        for index, (column, width) in enumerate(zip(columns, widths, strict=True)):
            part = cut(column[y], width) if y < len(column) else []
            last = index == len(columns) - 1
            line += part if last else [*padded(part, width), *blank(gap)]
        lines.append(line)
    return lines


def heading(left: str, right: str, width: int) -> Line:
    """A title at the left and a remark at the right of a thin rule."""
    right = fit(right, min(cell_len(right), max(0, width - cell_len(left) - 4)))
    rule = width - cell_len(left) - cell_len(right) - (2 if right else 1)
    tail = [Span(f" {right}", MUTED)] if right else []
    return cut([Span(left, MUTED), Span(" " + "─" * max(0, rule), FAINT), *tail], width)


def flow(notes: Sequence[Span], width: int, height: int) -> list[Line]:
    """Notes one after the other on up to ``height`` lines; those that do not fit are left out."""
    lines: list[Line] = []
    room = 0
    for note in notes:
        text = fit(note.text, min(width, cell_len(note.text)))
        if lines and cell_len(SEPARATOR + text) <= room:
            lines[-1] += [Span(SEPARATOR, FAINT), Span(text, note.role)]
            room -= cell_len(SEPARATOR + text)
        elif len(lines) < height:
            lines.append([Span(text, note.role)])
            room = width - cell_len(text)
    return lines


def wrapped(text: str, role: ColorRole, width: int) -> list[Line]:
    """A text on as many lines as it needs, broken at spaces."""
    lines: list[str] = []
    for word in text.split():
        if lines and cell_len(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(fit(word, min(cell_len(word), max(1, width))))
    return [[Span(line, role)] for line in lines]
