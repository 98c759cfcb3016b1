"""Now: what sounds, large, with since when and for how long; every instrument in its family."""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len

from mmgat.model.labels import FAMILIES
from mmgat.stream.dashboard.drawing.cells import (
    BRIGHT,
    FAINT,
    MUTED,
    NOTICE,
    SOUNDING,
    ColorRole,
    Line,
    Span,
    beside,
    fit,
    heading,
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
from mmgat.stream.dashboard.screens.frame import Keys, body_height, framed
from mmgat.stream.dashboard.screens.instrument_line import label_line
from mmgat.stream.dashboard.screens.summary import heard_lines
from mmgat.stream.dashboard.screens.timeline import map_lines
from mmgat.stream.dashboard.screens.welcome import welcome
from mmgat.stream.dashboard.state.sources import Connection
from mmgat.stream.dashboard.state.view import View

KEYS: Final[Keys] = (
    ("space", "freeze"),
    ("tab", "next source"),
    ("t", "theme"),
    ("s", "picture"),
    ("x", "export"),
)
CONTROL_KEYS: Final[Keys] = (
    ("↑ ↓", "choose"),
    ("< >", "threshold"),
    ("n", "mute"),
    ("v", "sensitivity"),
    ("p", "pause"),
    ("d", "device"),
    ("m", "mark"),
    ("z", "undo"),
)
REPLAY_KEYS: Final[Keys] = (("< >", "speed"), ("p", "pause"), *KEYS)
GAP: Final = 4
SCALES: Final = (4, 3, 2, 1)
MAX_HERO: Final = 14
LAST_MINUTE_S: Final = 60


def render(view: View, width: int, height: int) -> list[Line]:
    """What sounds now."""
    room = body_height(height)
    keys = REPLAY_KEYS if view.replay else CONTROL_KEYS if view.controllable else KEYS
    return framed(view, "now", _body(view, width, room), keys, (width, height))


def _body(view: View, width: int, height: int) -> list[Line]:
    source = view.source
    if source is None:
        return welcome(view, width, height)
    if view.ended:
        return heard_lines(view, width, height)
    columns = _columns(view, width)
    airy = max(map(len, _stacked(columns, airy=True)))
    close = max(map(len, _stacked(columns, airy=False)))
    if height < close + 5:
        near = _near_line(view, width)
        air: list[Line] = [[]] if height >= 12 else []
        return [*air, *hero(view, width, height - len(near) - len(air)), *near]
    block_height = airy if height >= airy + 8 else close
    hero_height = min(MAX_HERO if height >= 48 else 9 if height >= 30 else 7, height - block_height)
    lines = [*hero(view, width, hero_height - 1), []]
    lines += _families(view, width, columns, airy=block_height == airy)
    left = height - len(lines)
    if left >= 8:
        lines += [
            [],
            *map_lines(view, width, left - 1, LAST_MINUTE_S, heading("last minute", "", width)),
        ]
    return lines


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


def _near_line(view: View, width: int) -> list[Line]:
    """The near misses in a line, or none."""
    source = view.source
    if source is None or source.estimate is None or not source.near_misses:
        return []
    scores = source.estimate.scores
    words = ", ".join(
        f"{instrument(label)} {100 * scores.get(label, 0):.0f}" for label in source.near_misses
    )
    return [[Span("○ ", NOTICE), Span(fit(f"nearly: {words}", width - 2), NOTICE)]]


def _columns(view: View, width: int) -> list[list[tuple[str, list[str]]]]:
    """The families in as many columns as the width allows, each about equally high."""
    labels = view.state.labels
    families = [
        (name, [label for label in labels if label in members])
        for name, members in FAMILIES.items()
    ]
    known = {label for _, members in families for label in members}
    families.append(("other", [label for label in labels if label not in known]))
    families = [(name, members) for name, members in families if members]
    n_columns = 3 if width >= 150 else 2 if width >= 60 else 1
    total = sum(len(members) + 1 for _, members in families)
    columns: list[list[tuple[str, list[str]]]] = [[]]
    filled = 0
    for name, members in families:
        size = len(members) + 1
        full = filled + size / 2 > total / n_columns * len(columns)
        if columns[-1] and full and len(columns) < n_columns:
            columns.append([])
        columns[-1].append((name, members))
        filled += size
    return columns


def _stacked(
    columns: list[list[tuple[str, list[str]]]], *, airy: bool
) -> list[list[tuple[str, str]]]:
    """For every column its lines: a family's heading, its labels, and blank ones in between."""
    stacks = []
    for column in columns:
        stack: list[tuple[str, str]] = []
        for name, members in column:
            if stack and airy:
                stack.append(("", ""))
            stack.append(("family", name))
            stack += [("label", label) for label in members]
        stacks.append(stack)
    return stacks


def _families(
    view: View, width: int, columns: list[list[tuple[str, list[str]]]], *, airy: bool
) -> list[Line]:
    each = (width - GAP * (len(columns) - 1)) // len(columns)
    blocks: list[list[Line]] = []
    for stack in _stacked(columns, airy=airy):
        lines: list[Line] = []
        for kind, name in stack:
            if kind == "label":
                lines.append(label_line(view, name, each))
            else:
                lines.append(heading(name, "", each) if kind else [])
        blocks.append(lines)
    return beside(blocks, [each] * len(columns), GAP)
