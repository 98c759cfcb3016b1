"""Now: what sounds, large, with since when and for how long; every instrument in its family."""

from __future__ import annotations

from typing import Final

from mmgat.model.labels import FAMILIES
from mmgat.stream.dashboard.drawing.cells import NOTICE, Line, Span, beside, fit, heading
from mmgat.stream.dashboard.drawing.words import instrument
from mmgat.stream.dashboard.screens.frame import Keys, body_height, framed
from mmgat.stream.dashboard.screens.hero import hero
from mmgat.stream.dashboard.screens.instrument_line import label_line
from mmgat.stream.dashboard.screens.summary import heard_lines
from mmgat.stream.dashboard.screens.timeline import map_lines
from mmgat.stream.dashboard.screens.welcome import welcome
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
