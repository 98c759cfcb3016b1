"""Keys that ask something of an engine, against the real control server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
import zmq.asyncio

from mmgat.stream.control.requests import (
    Describe,
    MarkMoment,
    Mute,
    Pause,
    Request,
    Resume,
    SetSensitivity,
    SetThresholds,
    Unmute,
    decode_request,
)
from tests.stream.dashboard.builders import MIC, dashboard, estimate, hello, until, until_shown


class Engine:
    """Answers as the engine's control endpoint does."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.thresholds, self.set = {"piano": 0.5}, dict[str, float]()
        self.muted: list[str] = []
        self.sensitivity, self.paused = "normal", False

    def __call__(self, request: Request) -> dict[str, Any]:
        if not isinstance(request, Describe):
            self.asked.append(request)
        match request:
            case SetThresholds(thresholds):
                for label, value in thresholds.items():
                    self.thresholds[label] = 0.5 if value is None else value
            case Mute(labels):
                self.muted += labels
            case Unmute(labels):
                self.muted = [label for label in self.muted if label not in labels]
            case SetSensitivity(sensitivity):
                self.sensitivity = sensitivity
            case Pause() | Resume():
                self.paused = isinstance(request, Pause)
                return {"source": request.source, "paused": self.paused}
            case MarkMoment(text):
                return {"text": text, "times_s": {}}
            case Describe():
                source = {"source": MIC, "paused": self.paused}
                return {"decision": self.decision(), "sources": [source]}
        return self.decision()

    def decision(self) -> dict[str, Any]:
        return {"sensitivity": self.sensitivity, "thresholds": self.thresholds,
                "set": self.set, "muted": self.muted}  # fmt: skip


@asynccontextmanager
async def controlled() -> AsyncIterator[tuple[Any, Any, Engine]]:
    engine = Engine()
    with zmq.asyncio.Context() as context, context.socket(zmq.REP) as sock:
        port = sock.bind_to_random_port("tcp://127.0.0.1")
        async with dashboard((100, 36)) as (app, pilot):

            async def answer() -> None:
                while True:
                    result = engine(decode_request(await sock.recv()))
                    await sock.send(msgspec.msgpack.encode({"ok": True, "result": result}))

            app.run_worker(answer())
            app.take(hello(control=f"tcp://127.0.0.1:{port}"))
            app.take(estimate(sounding=("piano",)))
            await until_shown(pilot, "threshold")
            yield app, pilot, engine


@pytest.mark.parametrize(
    ("key", "request_", "words", "back"),
    [
        ("full_stop", SetThresholds({"piano": 0.55}), "piano begins at 55",
         SetThresholds({"piano": None})),
        ("less_than_sign", SetThresholds({"piano": 0.45}), "piano begins at 45",
         SetThresholds({"piano": None})),
        ("n", Mute(["piano"]), "piano is muted", Unmute(["piano"])),
        ("v", SetSensitivity("high"), "sensitivity: high", SetSensitivity("normal")),
        ("p", Pause(MIC), f"{MIC} is paused", Resume(MIC)),
    ],
)  # fmt: skip
async def test_a_change_is_asked_for_and_undone(
    key: str, request_: Request, words: str, back: Request
) -> None:
    async with controlled() as (_, pilot, engine):
        await pilot.press(key)
        await until_shown(pilot, words)
        assert engine.asked == [request_]
        await pilot.press("z")
        await until_shown(pilot, f"undone: {words}")
        assert engine.asked == [request_, back]


async def test_the_picture_has_the_new_threshold() -> None:
    async with controlled() as (app, pilot, _):
        await pilot.press("full_stop")
        await until(pilot, lambda: app.state.threshold("piano") == 0.55, "shows it")


async def test_a_mark_goes_to_everybody() -> None:
    async with controlled() as (_, pilot, engine):
        await pilot.press("m")
        await until_shown(pilot, "marked this moment for everybody")
        assert engine.asked == [MarkMoment()]


@pytest.mark.parametrize("key", ["comma", "n", "v", "p"])
async def test_an_engine_without_control_is_named(key: str) -> None:
    async with dashboard() as (app, pilot):
        app.take(hello())
        app.take(estimate(sounding=("piano",)))
        await pilot.press(key)
        await until_shown(pilot, "the engine takes no requests")


async def test_an_engine_that_does_not_answer_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mmgat.stream.dashboard.actions.TIMEOUT_S", 0.1)
    async with dashboard() as (app, pilot):
        app.take(hello(control="tcp://127.0.0.1:1"))
        app.take(estimate(sounding=("piano",)))
        await pilot.press("n")
        await until_shown(pilot, "expected an answer from tcp://127.0.0.1:1")
