"""Requests to an engine that recognises: what they change, and what everybody is told."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from mmgat.model.labels import LABELS
from mmgat.stream.audio.devices.listing import InputDevice
from mmgat.stream.audio.inputs import Input
from mmgat.stream.audio.source import AudioSource, Block
from mmgat.stream.bus.protocol import Estimate, Event, Hello, Mark, Message, Status
from mmgat.stream.control.answers import (
    Counters,
    Decision,
    Description,
    DeviceInfo,
    DeviceLevel,
    DeviceList,
    SourceState,
)
from mmgat.stream.control.requests import (
    Describe,
    Devices,
    Listen,
    MarkMoment,
    Mute,
    Pause,
    Resume,
    SetSensitivity,
    SetThresholds,
    Statistics,
    Switch,
    Unmute,
)
from mmgat.stream.engine.controls import EngineControls
from mmgat.stream.engine.engine import Engine
from mmgat.stream.errors import SettingsError, StreamError
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import DecisionSettings, StreamSettings
from tests.conftest import melody, untrained_card, untrained_model
from tests.stream.bus.messages import HELLO, STATUS

RATE_HZ = 16_000
WAIT_S = 60.0
SOUND = melody(8.0, RATE_HZ)
SETTINGS = StreamSettings(hop_s=1.0, nodes=3, decision=DecisionSettings(n_windows=1))


class Fed(AudioSource):
    """A live source that gives what a test feeds it."""

    live = True

    def __init__(self) -> None:
        super().__init__("mic", "device", RATE_HZ, 1)
        self._blocks: queue.Queue[Block | None] = queue.Queue()
        self._position = 0
        self._sound = SOUND

    def feed(self, seconds: int) -> None:
        n = seconds * RATE_HZ
        at, self._position = self._position, self._position + n
        self._blocks.put(Block(at, self._sound[at : at + n], time.monotonic()))

    def probe(self) -> None: ...

    def open(self) -> None: ...

    def read(self) -> Block | None:
        return self._blocks.get()

    def stop(self) -> None:
        self._blocks.put(None)

    def close(self) -> None: ...


class Live:
    """An engine on such a source, its controls, and all that it says."""

    def __init__(self, recognizer: Recognizer) -> None:
        self.source = Fed()
        self.messages: queue.Queue[Message] = queue.Queue()
        self.engine = Engine([Input(self.source)], recognizer, [self.messages.put], SETTINGS)
        self.announced: list[Message] = []
        self.controls = EngineControls(
            self.engine, untrained_card(), SETTINGS.decision, HELLO, self.announced.append
        )
        self.engine.start()

    def until(self, kind: type[Message], **fields: object) -> Message:
        """The next message of that kind with these fields."""
        while True:
            message = self.messages.get(timeout=WAIT_S)
            if isinstance(message, kind) and all(
                getattr(message, name) == value for name, value in fields.items()
            ):
                return message


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer(untrained_model(), SETTINGS)


@pytest.fixture
def live(recognizer: Recognizer) -> Iterator[Live]:
    live = Live(recognizer)
    yield live
    live.engine.stop()
    assert live.engine.wait(WAIT_S)
    account = live.engine.accounts["mic"]
    assert account.balanced
    assert account.queued == 0


def test_a_muted_label_ends_and_an_unmuted_one_begins_again(live: Live) -> None:
    live.source.feed(3)
    assert live.until(Event, event="on", label="piano")
    decision = live.controls(Mute(["Piano"]))
    assert isinstance(decision, Decision)
    assert decision.muted == ["piano"]
    live.source.feed(1)
    assert live.until(Event, event="off", label="piano")
    decision = live.controls(Unmute(["piano"]))
    assert isinstance(decision, Decision)
    assert decision.muted == []
    live.source.feed(2)
    assert live.until(Event, event="on", label="piano")


def test_new_thresholds_hold_and_everybody_is_told_by_a_hello(live: Live) -> None:
    live.source.feed(3)
    live.until(Event, event="on", label="voice")
    decision = live.controls(SetThresholds(dict.fromkeys(LABELS, 0.9)))
    assert isinstance(decision, Decision)
    assert decision.set == decision.thresholds == dict.fromkeys(LABELS, 0.9)
    hello = live.announced[-1]
    assert isinstance(hello, Hello)
    assert hello.model.thresholds["piano"] == 0.9
    live.source.feed(1)
    assert live.until(Event, event="off", label="voice")
    decision = live.controls(SetThresholds({"voice": None}))
    assert isinstance(decision, Decision)
    assert decision.thresholds["voice"] == 0.12
    live.source.feed(2)
    assert live.until(Event, event="on", label="voice")


def test_a_paused_device_goes_on_and_its_sound_is_discarded(live: Live) -> None:
    live.source.feed(2)
    live.until(Event, event="on", label="piano")
    assert live.controls(Pause("mic")) == SourceState(source="mic", paused=True)
    assert live.until(Event, event="off", label="piano")
    assert live.engine.statuses()[0].paused
    n_windows = live.engine.statuses()[0].windows
    live.source.feed(3)
    while live.engine.accounts["mic"].discarded < 3 * RATE_HZ:
        pass
    assert live.controls(Resume("mic")) == SourceState(source="mic", paused=False)
    live.source.feed(2)
    estimate = live.until(Estimate, t0=5.0)
    assert isinstance(estimate, Estimate)
    assert live.engine.statuses()[0].windows <= n_windows + 3  # its padded tail, and two more
    assert live.until(Event, event="on", label="piano")
    account = live.engine.accounts["mic"]
    assert (account.dropped, account.discarded) == (0, 3 * RATE_HZ)


def test_a_mark_says_where_every_stream_was(live: Live) -> None:
    live.source.feed(2)
    live.until(Estimate, t0=1.0)
    mark = live.controls(MarkMoment("x" * 300))
    assert mark == live.announced[-1] == Mark(text="x" * 200, times_s={"mic": 2.0})


def test_an_engine_describes_itself_and_counts(live: Live) -> None:
    description = live.controls(Describe())
    assert isinstance(description, Description)
    assert description.hello == HELLO
    assert description.decision.sensitivity == SETTINGS.decision.sensitivity == "normal"
    assert description.sources == [SourceState(source="mic", paused=False)]
    assert "mute" in description.requests
    counters = live.controls(Statistics())
    assert isinstance(counters, Counters)
    assert [status.source for status in counters.statuses] == ["mic"]


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (Mute(["kazoo"]), "expected a label of .*, found 'kazoo'"),
        (Mute(list(LABELS)), "expected at least one label to name"),
        (Pause("line"), "expected a source of mic, found 'line'"),
        (SetThresholds({"kazoo": 0.5}), "found 'kazoo'"),
        (SetSensitivity("high"), "expected a model with thresholds for high sensitivity"),
    ],
)
def test_a_request_that_cannot_be_is_refused_and_changes_nothing(
    live: Live, request_: object, fault: str
) -> None:
    before = live.controls(Describe())
    with pytest.raises(StreamError, match=fault):
        live.controls(request_)  # type: ignore[arg-type]
    assert live.controls(Describe()) == before
    assert live.announced == []


def test_labels_of_the_settings_can_be_widened(recognizer: Recognizer) -> None:
    engine = Engine([Input(Fed())], recognizer, [], SETTINGS)
    only = DecisionSettings(labels="piano", threshold=("piano=0.3",))
    controls = EngineControls(engine, untrained_card(), only, HELLO, lambda _: None)
    decision = controls(Unmute(["drums"]))
    assert isinstance(decision, Decision)
    assert decision.thresholds == {"piano": 0.3, "drums": 0.12}
    with pytest.raises(SettingsError):
        controls(Mute(["piano", "drums"]))
    assert np.isclose(decision.set["piano"], 0.3)


class Recorder:
    """In place of an engine: two sources, and what is asked of it."""

    def __init__(self) -> None:
        self.paused = {"lab": False, "hall": False}
        self.devices = {"lab": "", "hall": "Hall mic, ALSA"}

    def switch(self, source: str, device: str) -> list[str]:
        self.devices[source] = f"{device}, ALSA"
        return [source]

    def statuses(self) -> list[Status]:
        return [STATUS]


class Preview:
    """In place of the audio system."""

    def __init__(self) -> None:
        self.n_closed = 0

    def devices(self) -> list[InputDevice]:
        return [InputDevice("Scarlett, ALSA", 2, 48_000, loopback=False)]

    def level(self, device: str) -> float:
        return -20.0 if device == "Scarlett" else -200.0

    def close(self) -> None:
        self.n_closed += 1


def made(**counters: object) -> tuple[EngineControls, list[Message], Preview]:
    announced: list[Message] = []
    sources = [*HELLO.sources, msgspec.structs.replace(HELLO.sources[0], name="hall")]
    hello = msgspec.structs.replace(HELLO, sources=sources)
    controls = EngineControls(
        Recorder(),
        untrained_card(),
        SETTINGS.decision,
        hello,
        announced.append,
        **counters,  # type: ignore[arg-type]
    )
    preview = Preview()
    controls._devices = preview  # type: ignore[assignment]
    return controls, announced, preview


def test_devices_are_listed_and_listened_to() -> None:
    controls, _, preview = made()
    scarlett = DeviceInfo(name="Scarlett, ALSA", channels=2, sample_rate_hz=48_000, loopback=False)
    assert controls(Devices()) == DeviceList(devices=[scarlett])
    assert controls(Listen("Scarlett")) == DeviceLevel(device="Scarlett", level_dbfs=-20.0)
    assert preview.n_closed == 0


def test_a_source_gets_another_device_and_everybody_is_told_which() -> None:
    controls, announced, preview = made()
    state = controls(Switch("lab", "Scarlett"))
    assert state == SourceState(source="lab", paused=False, device="Scarlett, ALSA")
    assert preview.n_closed == 1  # it may be the one that was listened to
    (hello,) = announced
    assert isinstance(hello, Hello)
    assert [(info.name, info.device) for info in hello.sources] == [
        ("lab", "Scarlett, ALSA"), ("hall", ""),
    ]  # fmt: skip
    description = controls(Describe())
    assert isinstance(description, Description)
    assert description.hello == hello
    assert [state.device for state in description.sources] == ["Scarlett, ALSA", "Hall mic, ALSA"]
    with pytest.raises(SettingsError, match="expected a source of lab, hall, found 'attic'"):
        controls(Switch("attic", "Scarlett"))


def test_counters_are_those_of_the_bus_and_of_the_control_endpoint() -> None:
    bus = SimpleNamespace(readers=3, refused=2, published=700)
    control = SimpleNamespace(requests=9, faults=4)
    controls, _, _ = made(publisher=bus, server=control)
    assert controls(Statistics()) == Counters(
        statuses=[STATUS], readers=3, refused=2, published=700, requests=9, faults=4
    )
    controls, _, _ = made()
    assert controls(Statistics()) == Counters(
        statuses=[STATUS], readers=0, refused=0, published=0, requests=0, faults=0
    )


def test_the_audio_system_is_asked_only_when_somebody_wants_to_know_of_devices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made_previews: list[Preview] = []

    class Counted(Preview):
        def __init__(self) -> None:
            super().__init__()
            made_previews.append(self)

    monkeypatch.setattr("mmgat.stream.audio.devices.choice.DevicePreview", Counted)
    controls = made()[0]
    controls._devices = None
    controls(Describe())
    controls(Switch("lab", "Scarlett"))
    assert made_previews == []
    controls(Devices())
    controls(Listen("Scarlett"))
    assert len(made_previews) == 1
