"""The first picture: no engine has been heard yet."""

from __future__ import annotations

from typing import Final

from mmgat.stream.dashboard.drawing.cells import (
    BRIGHT,
    MUTED,
    SOUNDING,
    TEXT,
    WARNING,
    ColorRole,
    Line,
    Span,
    wrapped,
)
from mmgat.stream.dashboard.state.view import View

PATIENCE_S: Final = 2.0
"""So long a running engine may take to answer."""


def welcome(view: View, width: int, height: int) -> list[Line]:
    """Which address is tried, and the command that starts an engine there."""
    state = view.state
    if state.hello:
        names = ", ".join(info.name for info in state.hello.sources)
        return [
            *wrapped(f"The engine is there; it opens {names or 'its inputs'}.", TEXT, width),
        ][:height]
    if state.trouble:
        return [
            *wrapped("An engine answers, but nothing comes:", BRIGHT, width),
            *([[]] if height >= 9 else []),
            *wrapped(state.trouble, WARNING, width),
        ][:height]
    if view.now - state.since < PATIENCE_S:
        return [[Span(f"Looking for an engine at {state.address}", MUTED)]]
    gap: list[Line] = [[]] if height >= 9 else []
    port = "" if state.address.endswith(":5550") else f" --publish {state.address}"
    return [
        *wrapped(f"No engine answers at {state.address} yet.", BRIGHT, width),
        *gap,
        *wrapped("Start one in another terminal:", TEXT, width),
        *([[]] if gap else []),
        *_command(f"mmgat-stream --no-dashboard{port}", SOUNDING, width),
        *_command(f"mmgat-stream --demo --no-dashboard{port}", SOUNDING, width),
        *gap,
        *wrapped("It is shown here as soon as it speaks. Or look elsewhere:", MUTED, width),
        *_command("mmgat-dashboard --connect tcp://HOST:5550", MUTED, width),
    ][:height]


def _command(text: str, role: ColorRole, width: int) -> list[Line]:
    """A command to type, which is never cut."""
    return [[Span("  ", role), *line] for line in wrapped(text, role, width - 2)]
