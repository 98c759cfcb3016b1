from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from mmgat.stream.bus.protocol import Estimate, Event, to_json
from mmgat.stream.dashboard.app import DashboardApp
from mmgat.stream.dashboard.replay import Replay
from mmgat.stream.errors import StreamError
from tests.stream.dashboard.builders import MIC, Clock, estimate, event, hello, until_shown


def session(tmp_path: Path) -> Path:
    path = tmp_path / "session.jsonl"
    messages = [hello(), event("on", "piano", 1.0, 1.0), estimate(2.0, ("piano",))]
    path.write_text("\n".join([*map(to_json, messages), "not json", '{"type": "other"}']))
    return path


async def test_a_session_is_shown_again(tmp_path: Path) -> None:
    app = DashboardApp(Replay(session(tmp_path), math.inf), theme="dark")
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "REPLAY over", f"{MIC} has ended: 1 instrument", "piano")
        await pilot.press("5")
        await until_shown(pilot, "This recorded session has no status")


class Waits:
    """Stands in for ``asyncio.wait_for``: every wait is over at once, and is remembered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *actions: Callable[[], None]) -> None:
        self.now, self.waited, self._actions = 0.0, list[float | None](), list(actions)
        monkeypatch.setattr(asyncio, "wait_for", self._wait_for)

    async def _wait_for(self, waiting: Coroutine[None, None, None], timeout: float | None) -> None:
        waiting.close()
        self.waited.append(timeout)
        if self._actions:  # half-way, somebody presses a key
            self.now += 0.5 * (timeout or 0)
            self._actions.pop(0)()
        else:
            self.now += timeout or 0


async def test_messages_come_as_far_apart_as_they_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = Waits(monkeypatch)
    replay = Replay(session(tmp_path), 10.0, clock=lambda: waits.now)
    found = [await replay.receive() for _ in range(3)]
    assert [type(message) for message in found[1:]] == [Event, Estimate]
    assert waits.waited == [pytest.approx(0.1)]


async def test_another_speed_holds_for_what_is_being_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = Waits(monkeypatch, lambda: replay.change_speed(1))
    replay = Replay(session(tmp_path), clock=lambda: waits.now)
    for _ in range(3):
        await replay.receive()
    assert replay.pace == "2 x"
    assert waits.waited == pytest.approx([1.0, 0.25])  # half of the second that was left


async def test_a_pause_lasts_until_it_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def later() -> None:
        waits.now += 60
        replay.pause()

    waits = Waits(monkeypatch, lambda: replay.pause(), later)
    replay = Replay(session(tmp_path), clock=lambda: waits.now)
    for _ in range(3):
        await replay.receive()
    assert waits.waited == [1.0, None, pytest.approx(0.5)]


async def test_keys_change_the_speed_and_nothing_is_late_while_it_is_paused(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "session.jsonl"
    path.write_text("\n".join(map(to_json, [hello(), estimate(2.0, ("piano",)), estimate(60.0)])))
    app = DashboardApp(
        Replay(path, 20.0, clock=clock), theme="dark", clock=clock, unix_clock=clock.unix
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "REPLAY 20 x", "● piano")
        await pilot.press("less_than_sign")
        await until_shown(pilot, "replay: 10 x", "REPLAY 10 x")
        await pilot.press("p")
        clock.now += 60
        await until_shown(pilot, "REPLAY paused", "● piano")
        await pilot.press("p")
        await until_shown(pilot, "REPLAY 10 x", "● piano")
        await pilot.press("full_stop", "full_stop")
        await until_shown(pilot, "REPLAY 50 x")
        clock.now += 60
        await until_shown(pilot, "REPLAY over")


async def test_what_was_recognised_faster_than_it_plays_is_shown_at_the_pace_of_its_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "session.jsonl"
    messages = [
        hello(time=100.0),
        estimate(1.0, time=100.00),
        estimate(1.0, time=100.01, source="line"),
        estimate(3.0, time=100.02),
        estimate(2.5, time=100.03, source="line"),
        estimate(4.0, time=100.04, source="line"),
    ]
    path.write_text("\n".join(map(to_json, messages)))
    waits = Waits(monkeypatch)
    replay = Replay(path, 2.0, clock=lambda: waits.now)
    for _ in messages:
        await replay.receive()
    assert sum(waits.waited) == pytest.approx((0.01 + 3.0) / 2, abs=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "no json\n"])
def test_a_file_without_messages_is_an_error_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text(text)
    with pytest.raises(StreamError, match="expected JSON lines of a session"):
        Replay(path)


def test_a_missing_file_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match="expected a file of JSON lines"):
        Replay(tmp_path / "none.jsonl")
