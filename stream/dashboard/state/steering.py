"""What keys do to the user's choices, as pure functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mmgat.model.labels import FAMILIES
from mmgat.stream.dashboard.state.log import newest
from mmgat.stream.dashboard.state.view import Choices, View

FAR: Final = 10**9


def next_source(view: View, steps: int) -> Choices:
    """The next (1) or previous (-1) of the sources that have been heard."""
    names = [source.name for source in view.state.heard()]
    if not names or view.source is None:
        return view.choices
    index = (names.index(view.source.name) + steps) % len(names)
    return replace(view.choices, source=names[index], row=index, cursor_s=None, label="")


def chosen_source(view: View) -> Choices:
    """The source of the chosen line."""
    heard = view.state.heard()
    if not heard:
        return view.choices
    source = heard[min(view.choices.row, len(heard) - 1)]
    return replace(view.choices, source=source.name, cursor_s=None, label="")


def stepped(view: View, mode: str, steps: int, last: int) -> Choices:
    """Up and down: through the log, the sources, or else the instruments.

    Args:
        view: what is shown.
        mode: the screen's name.
        steps: lines down; ``FAR`` and beyond to the end.
        last: by how many lines the log, the health screen, the timeline or what was heard of a
            source that has ended can be scrolled.
    """
    choices = view.choices
    if mode == "log":
        scroll = _within(min(view.log_scroll, last) + steps, last)
        return replace(choices, log_scroll=scroll, log_newest=newest(view.entries))
    if mode == "timeline":
        # Above the first row of all there are those that the screen chooses itself.
        top = _within((-1 if choices.top is None else min(choices.top, last)) + steps, last, -1)
        return replace(choices, top=top if last and top >= 0 else None)
    if mode == "health" or (mode == "now" and view.ended):
        return replace(choices, scroll=_within(min(choices.scroll, last) + steps, last))
    if mode == "sources":
        last = max(0, len(view.state.sources) - 1)
        return replace(choices, row=_within(min(choices.row, last) + steps, last))
    labels = in_families(view.state.labels)
    index = _within(labels.index(view.label) + steps, len(labels) - 1)
    return replace(choices, label=labels[index])


def in_families(labels: tuple[str, ...]) -> list[str]:
    """The labels in the order of their families, as the screens show them."""
    ordered = [label for members in FAMILIES.values() for label in members if label in labels]
    return ordered + [label for label in labels if label not in ordered]


def moved(view: View, parts: float) -> Choices:
    """The timeline's cursor moved by ``parts`` of its span; at the newest moment it follows."""
    source, choices = view.source, view.choices
    if source is None:
        return choices
    history = source.history
    start = history.end_s if choices.cursor_s is None else choices.cursor_s
    cursor_s = max(history.begin_s, start + parts * choices.span_s)
    return replace(choices, cursor_s=None if cursor_s >= history.end_s else cursor_s)


def jumped(view: View, direction: int) -> Choices:
    """The cursor at the next (1) or previous (-1) moment at which anything began or ended."""
    source, choices = view.source, view.choices
    if source is None:
        return choices
    history = source.history
    at = history.end_s if choices.cursor_s is None else choices.cursor_s
    if direction < 0:
        before = [moment for moment in history.moments() if moment < at - 1e-6]
        return replace(choices, cursor_s=before[-1] if before else choices.cursor_s)
    after = [moment for moment in history.moments() if moment > at + 1e-6]
    return replace(choices, cursor_s=after[0] if after else None)


def _within(value: int, last: int, first: int = 0) -> int:
    return min(last, max(first, value))
