"""Every screen as a picture, from named states; ``pytest --snapshot-update`` draws them anew."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from mmgat.stream.dashboard.app import DashboardApp
from mmgat.stream.dashboard.screens.frame import SCREENS
from mmgat.stream.dashboard.state.dashboard import DashboardState, advance, observe
from tests.stream.dashboard.builders import Clock, Silence
from tests.stream.dashboard.screens.states import STATES

SIZES = [(40, 12), (80, 24), (120, 40)]


def state_of(name: str, clock: Clock) -> DashboardState:
    state = DashboardState(address="tcp://127.0.0.1:5550", since=clock.now)
    for second, message in STATES[name]:
        clock.now = 1000.0 + second
        if message is not None:
            state = advance(state, message, clock.now, clock.unix())
    return observe(state, clock.now, clock.unix())


def app_of(name: str, **options: Any) -> DashboardApp:
    clock = Clock()
    state = state_of(name, clock)
    app = DashboardApp(Silence(), clock=clock, unix_clock=clock.unix, **{"theme": "dark"} | options)
    app.state = state
    return app


def shown(screen: str) -> Any:
    async def run_before(pilot: Pilot[None]) -> None:
        await pilot.press(str(SCREENS.index(screen) + 1))
        await pilot.pause()

    return run_before


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("screen", SCREENS)
def test_screen(snap_compare: Any, screen: str, size: tuple[int, int]) -> None:
    assert snap_compare(app_of("band"), terminal_size=size, run_before=shown(screen))


@pytest.mark.parametrize(
    ("state", "screen", "size"),
    [
        ("quiet room", "now", (80, 24)),
        ("solo", "now", (40, 12)),
        ("near miss", "now", (40, 12)),
        ("near miss", "evidence", (80, 24)),
        ("drops", "health", (80, 24)),
        ("stale", "now", (80, 24)),
        ("gone", "health", (80, 24)),
        ("restarted", "timeline", (80, 24)),
        ("unverified", "now", (60, 16)),
        ("eight sources", "sources", (80, 24)),
        ("eight sources", "sources", (40, 12)),
        ("ended", "now", (80, 24)),
        ("no engine", "now", (80, 24)),
    ],
)
def test_state(snap_compare: Any, state: str, screen: str, size: tuple[int, int]) -> None:
    assert snap_compare(app_of(state), terminal_size=size, run_before=shown(screen))


@pytest.mark.parametrize(
    "options", [{"theme": "light"}, {"theme": "contrast"}, {"theme": "sixteen", "ascii_only": True}]
)
def test_theme(snap_compare: Any, options: dict[str, Any]) -> None:
    app = app_of("band", **options)
    assert snap_compare(app, terminal_size=(80, 24), run_before=shown("now"))
