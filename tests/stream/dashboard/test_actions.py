"""Keys that ask something of an engine: one that recognises, on its own endpoints, and its bus."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import numpy as np
import pytest

from mmgat.model.card import OperatingPoint
from mmgat.model.labels import LABELS
from mmgat.stream.audio.devices.choice import DevicePreview
from mmgat.stream.audio.devices.listing import InputDevice
from mmgat.stream.audio.inputs import Input
from mmgat.stream.audio.source import AudioSource, Block
from mmgat.stream.bus.protocol import Mark, Message
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.control.requests import Mute, Unmute
from mmgat.stream.control.server import ControlServer
from mmgat.stream.engine.controls import EngineControls
from mmgat.stream.engine.engine import Engine
from mmgat.stream.errors import DeviceError
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import DecisionSettings, StreamSettings
from tests.conftest import melody, untrained_card, untrained_model
from tests.stream.dashboard.builders import (
    MIC,
    dashboard,
    estimate,
    hello,
    picture,
    until,
    until_shown,
)

RATE_HZ = 16_000
SETTINGS = StreamSettings(hop_s=0.5, nodes=3, decision=DecisionSettings(n_windows=1))
SECOND = melody(1.0, RATE_HZ)
QUIET = 0.01
HIGH = dict.fromkeys(LABELS, 0.06)
CARD = untrained_card(operating_points={"high": OperatingPoint(thresholds=HIGH)})
DEVICES = {"desk, ALSA": 1.0, "room, ALSA": QUIET}
"""Name -> how loud it is."""


class Mic(AudioSource):
    """A device that gives the same half second at its own pace, until it is stopped."""

    live = True

    def __init__(self, device: str = "desk, ALSA") -> None:
        super().__init__(MIC, "device", RATE_HZ, 1)
        self.device, self._at = device, 0
        self._stopped = threading.Event()

    def probe(self) -> None:
        if self.device not in DEVICES:
            raise DeviceError(f"expected an input device, found none of {self.device!r}")

    def open(self) -> None: ...

    def read(self) -> Block | None:
        if self._stopped.wait(0.1):
            return None
        sound = SECOND[: RATE_HZ // 10] * DEVICES[self.device]
        block = Block(self._at, sound.astype(np.float32), time.monotonic())
        self._at = block.end
        return block

    def switch(self, device: str) -> str:
        Mic(device).probe()
        self.device = device
        return device

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None: ...


class Running:
    """Such an engine with its publisher and its control endpoint."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self.publisher = Publisher("tcp://127.0.0.1:*")
        recognizer = Recognizer(untrained_model(), SETTINGS)
        self.engine = Engine([Input(Mic())], recognizer, [self.publisher], SETTINGS)
        self.server = ControlServer("tcp://127.0.0.1:*", lambda request: self.controls(request))
        told = hello(session="", control=self.server.address)
        model = msgspec.structs.replace(told.model, thresholds=dict(CARD.thresholds))
        told = msgspec.structs.replace(told, model=model)
        self.controls = EngineControls(
            self.engine, CARD, SETTINGS.decision, told, self._announce, self.publisher
        )
        self.controls._devices = DevicePreview(Mic)
        self.publisher(told)
        self.engine.start()
        self._ending = threading.Event()
        self._statuses = threading.Thread(target=self._tell)
        self._statuses.start()

    def _announce(self, message: Message) -> None:
        self.publisher(message)
        if isinstance(message, Mark):
            self.marks.append(message)

    def _tell(self) -> None:
        while not self._ending.wait(0.2):
            for status in self.engine.statuses():
                self.publisher(status)

    def close(self) -> None:
        self._ending.set()
        self._statuses.join()
        self.engine.stop()
        self.engine.wait(30)
        self.server.close()
        self.publisher.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    running = Running()
    yield running
    running.close()


@asynccontextmanager
async def watching(running: Running) -> AsyncIterator[tuple[Any, Any]]:
    async with dashboard((110, 40), running.publisher.connect_address) as (app, pilot):
        await until_shown(pilot, "LIVE", "< > threshold")
        await pilot.press("home")
        yield app, pilot


async def test_what_another_client_mutes_is_marked(running: Running) -> None:
    async with watching(running) as (app, pilot):
        label = app.view.label
        await pilot.press("down")  # the chosen line has another mark
        running.controls(Mute([label]))
        await until_shown(pilot, f"× {label}")
        running.controls(Unmute([label]))
        await until(pilot, lambda: f"× {label}" not in picture(app), "it is named again")


async def test_thresholds_mutes_and_sensitivity_reach_the_engine_and_are_undone(
    running: Running,
) -> None:
    async with watching(running) as (app, pilot):
        label = app.view.label
        first = running.controls._thresholds[label]
        await pilot.press("full_stop")
        await until_shown(pilot, f"{label} begins at {100 * (first + 0.05):.0f}")
        assert running.controls._thresholds[label] == pytest.approx(first + 0.05)
        await until(pilot, lambda: app.state.threshold(label) > first, "the bus says so")
        await pilot.press("n")
        await until_shown(pilot, f"{label} is muted")
        assert label not in running.controls._thresholds
        await until(pilot, lambda: app.state.threshold(label) is None, "the bus says so")
        await pilot.press("z")
        await until_shown(pilot, f"undone, {label} is muted")
        await pilot.press("z")
        await until_shown(pilot, f"undone, {label} begins")
        assert running.controls._thresholds == dict(CARD.thresholds)
        await pilot.press("v")
        await until_shown(pilot, "sensitivity: high")
        assert running.controls._thresholds == HIGH
        await pilot.press("v")  # the card has no low one
        await until_shown(pilot, "expected a model with thresholds for low sensitivity")
        await pilot.press("z")
        await until_shown(pilot, "undone, sensitivity: high")
        assert running.controls._thresholds == dict(CARD.thresholds)


async def test_a_pause_and_its_end_reach_the_engine(running: Running) -> None:
    async with watching(running) as (_, pilot):
        await pilot.press("p")
        await until_shown(pilot, f"{MIC} is paused", "PAUSED")
        assert running.engine.paused == {MIC: True}
        await pilot.press("p")
        await until_shown(pilot, f"{MIC} goes on", "LIVE")
        assert running.engine.paused == {MIC: False}


async def test_a_mark_goes_to_everybody(running: Running) -> None:
    async with watching(running) as (app, pilot):
        await pilot.press("m")
        await until_shown(pilot, "marked this moment for everybody")
        await until(pilot, lambda: is_marked(app), "the bus has it")
        assert [set(mark.times_s) for mark in running.marks] == [{MIC}]


async def test_another_device_is_heard_before_it_is_taken(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [InputDevice(name, 1, 48_000, loopback=False) for name in DEVICES]
    listed.append(InputDevice("gone, ALSA", 1, 48_000, loopback=False))
    monkeypatch.setattr("mmgat.stream.audio.devices.choice.input_devices", lambda: listed)
    async with watching(running) as (app, pilot):
        await pilot.press("d")
        await until_shown(pilot, "● desk, ALSA  1 in, 48 kHz", "room, ALSA")
        await pilot.press("down")
        loud_dbfs = running.engine.statuses()[0].level_dbfs
        quiet = f"{loud_dbfs + 20 * math.log10(QUIET):.0f} dBFS"
        await until(pilot, lambda: quiet in level_line(app), "hears it")
        await pilot.press("enter")
        await until_shown(pilot, f"{MIC} listens to room, ALSA", f"{MIC} (from room, ALSA)")
        assert running.engine.devices == {MIC: "room, ALSA"}
        await pilot.press("z")
        await until_shown(pilot, "undone,", f"{MIC} (from desk, ALSA)")
        await pilot.press("d")
        await until_shown(pilot, "gone, ALSA")
        await pilot.press("down", "down")
        await until_shown(pilot, "expected an input device, found none of 'gone, ALSA'")
        await pilot.press("enter")
        await until(pilot, lambda: "found none of" in app.choices.note, "refuses")
        assert running.engine.devices == {MIC: "desk, ALSA"}


def is_marked(app: Any) -> bool:
    return any(entry.kind == "mark" for entry in app.state.entries)


def level_line(app: Any) -> str:
    return str(app.screen.query_one("#level").render())


@pytest.mark.parametrize("key", ["comma", "d"])
async def test_an_engine_without_control_is_named(key: str) -> None:
    async with dashboard() as (app, pilot):
        app.take(hello())
        app.take(estimate(sounding=("piano",)))
        await pilot.press(key)
        await until_shown(pilot, "the engine takes no requests")


async def test_an_engine_that_does_not_answer_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mmgat.stream.dashboard.actions.engine.TIMEOUT_S", 0.1)
    async with dashboard() as (app, pilot):
        app.take(hello(control="tcp://127.0.0.1:1"))
        app.take(estimate(sounding=("piano",)))
        await pilot.press("n")
        await until_shown(pilot, "expected an answer from tcp://127.0.0.1:1")
