from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest

from mmgat.stream.bus.protocol import Estimate, Event, to_json
from mmgat.stream.dashboard.app import DashboardApp
from mmgat.stream.dashboard.replay import Replay
from mmgat.stream.errors import StreamError
from tests.stream.dashboard.builders import estimate, event, hello, until_shown


def session(tmp_path: Path) -> Path:
    path = tmp_path / "session.jsonl"
    messages = [hello(), event("on", "piano", 1.0, 1.0), estimate(2.0, ("piano",))]
    path.write_text("\n".join([*map(to_json, messages), "not json", '{"type": "other"}']))
    return path


async def test_a_session_is_shown_again(tmp_path: Path) -> None:
    app = DashboardApp(Replay(session(tmp_path), math.inf), theme="dark")
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "● piano", "00:02")


async def test_messages_come_as_far_apart_as_they_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    now = [0.0]

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(asyncio, "sleep", sleep)
    replay = Replay(session(tmp_path), 10.0, clock=lambda: now[0])
    found = [await replay.receive() for _ in range(3)]
    assert [type(message) for message in found[1:]] == [Event, Estimate]
    assert slept == [pytest.approx(0.1)]


@pytest.mark.parametrize("text", ["", "no json\n"])
def test_a_file_without_messages_is_an_error_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text(text)
    with pytest.raises(StreamError, match="expected JSON lines of a session"):
        Replay(path)


def test_a_missing_file_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match="expected a file of JSON lines"):
        Replay(tmp_path / "none.jsonl")
