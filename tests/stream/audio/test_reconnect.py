"""A guarded source on a scripted device and a clock of our own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from mmgat.stream.audio import reconnect
from mmgat.stream.audio.liveness import LivenessState
from mmgat.stream.audio.reconnect import ReconnectingSource
from mmgat.stream.audio.source import AudioSource, Block
from mmgat.stream.errors import DeviceError, SourceError
from mmgat.stream.settings import LivenessSettings

RATE_HZ = 1000
BLOCK_S = 0.1


@dataclass
class Clock:
    now: float = 50.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Script:
    """What a device does at each read: ``audio``, ``nothing`` or ``gone``; and when reopened."""

    reads: Iterator[str]
    reopenings: Iterator[bool] = field(default_factory=lambda: iter(()))


class ScriptedDevice(AudioSource):
    live = True

    def __init__(self, script: Script, clock: Clock) -> None:
        super().__init__("mic", "device")
        self._script, self._clock = script, clock
        self._position = self.first_position = 0
        self.opened = self.closed = 0

    def probe(self) -> None:
        self._set_info(RATE_HZ, 1)

    def open(self) -> None:
        self.probe()
        self.opened += 1
        self._position = self.first_position

    def reopen(self) -> None:
        self._clock.now += 1.0
        if not next(self._script.reopenings):
            raise DeviceError("expected 'mic', found none")
        self.open()

    def read(self) -> Block | None:
        self._clock.now += BLOCK_S
        doing = next(self._script.reads)
        if doing == "gone":
            raise DeviceError("'mic' stopped giving audio")
        n = round(RATE_HZ * BLOCK_S) if doing == "audio" else 0
        self._position += n
        return Block(self._position - n, np.zeros((n, 1), np.float32), self._clock.now)

    def stop(self) -> None: ...

    def close(self) -> None:
        self.closed += 1


def guarded(
    reads: list[str], reopenings: list[bool], **settings: float
) -> tuple[ReconnectingSource, ScriptedDevice]:
    clock = Clock()
    device = ScriptedDevice(Script(iter(reads), iter(reopenings)), clock)
    guard = ReconnectingSource(device, LivenessSettings(first_pause_s=0.0, **settings), clock)
    guard.open()
    return guard, device


def heard(guard: ReconnectingSource) -> Block:
    """The next block that has samples."""
    while True:
        block = guard.read()
        assert block is not None
        if len(block.samples):
            return block


def test_a_healthy_device_is_passed_on_as_it_is() -> None:
    guard, device = guarded(["audio", "nothing", "audio"], [])
    blocks = [guard.read(), guard.read()]
    assert [(b.position, b.end) for b in blocks if b] == [(0, 100), (100, 200)]
    assert (guard.name, guard.sample_rate_hz, guard.channels) == ("mic", RATE_HZ, 1)
    assert (guard.health.liveness, guard.health.outages, device.opened) == (
        LivenessState.HEALTHY,
        0,
        1,
    )


def test_what_was_missed_is_a_jump_in_the_positions_as_long_as_it_took() -> None:
    guard, device = guarded(["audio", "gone", "audio", "audio"], [True])
    first, second, third = heard(guard), heard(guard), heard(guard)
    assert first.end == 100
    assert second.position == 100 + 100 + 1000  # the failed read and the opening took 1.1 s
    assert third.position == second.end
    assert (guard.health.outages, device.opened) == (1, 2)
    assert guard.health.liveness is LivenessState.HEALTHY


def test_behind_an_outage_the_positions_go_on_wherever_the_device_begins_to_count() -> None:
    guard, device = guarded(["audio", "gone", "audio", "audio"], [True])
    first = heard(guard)
    device.first_position = 70_000
    second, third = heard(guard), heard(guard)
    assert (first.end, second.position, third.position) == (100, 1200, 1300)


def test_a_device_that_falls_silent_without_a_word_is_opened_again() -> None:
    guard, device = guarded(["audio", *["nothing"] * 35, "audio"], [True])
    heard(guard)
    block = heard(guard)
    assert device.opened == 2
    assert block.position == pytest.approx(100 + 1000 * 4.5, abs=150)


def test_while_it_is_lost_it_says_so() -> None:
    guard, _ = guarded(["audio", "gone"], [False, False])
    heard(guard)
    with pytest.raises(StopIteration):  # the script ends with a device still missing
        heard(guard)
    assert guard.health.liveness is LivenessState.RECOVERING
    assert guard.health.warning == "no audio for 2 s: expected 'mic', found none"


def test_a_loss_that_nobody_wants_healed_is_an_error() -> None:
    guard, _ = guarded(["audio", "gone"], [], exit_on_loss=True)
    guard.read()
    with pytest.raises(SourceError, match="'mic' is lost: 'mic' stopped giving audio"):
        guard.read()
    assert guard.health.liveness is LivenessState.FAILED


def test_when_audio_stops_coming_an_empty_block_says_so_once() -> None:
    guard, _ = guarded(["audio", *["nothing"] * 60, "audio"], [True, True, True])
    first = guard.read()
    alarm, back = guard.read(), guard.read()
    assert first is not None
    assert alarm is not None
    assert back is not None
    assert (alarm.position, alarm.samples.shape, alarm.interrupted) == (first.end, (0, 1), True)
    assert alarm.samples.dtype == np.float32
    assert not first.interrupted
    assert not back.interrupted
    assert len(back.samples)


def test_silence_that_the_device_does_not_explain_is_said_once() -> None:
    guard, _ = guarded(["audio", *["nothing"] * 31], [])
    guard.read()
    guard.read()
    assert guard.health.liveness is LivenessState.ALARMED
    assert guard.health.warning == "no audio for 3 s"


def test_gaps_follow_the_clock_also_behind_a_second_outage() -> None:
    guard, _ = guarded(["audio", "gone", "audio", "audio", "gone", "audio"], [True, True])
    blocks = [heard(guard) for _ in range(4)]
    assert [b.position for b in blocks] == [0, 1200, 1300, 2500]


def test_a_lost_device_is_closed_before_it_is_opened_again() -> None:
    guard, device = guarded(["audio", "gone", "audio"], [True])
    heard(guard)
    heard(guard)
    assert device.closed == 1


class ScriptedPipe(ScriptedDevice):
    """Gives nothing for a while, loses nothing, and has an end."""

    live = False

    def reopen(self) -> None: ...

    def read(self) -> Block | None:
        block = super().read()
        return block if next(self._script.reopenings, True) else None


def test_a_pipe_is_watched_too_and_loses_nothing() -> None:
    clock = Clock()
    reads = ["audio", *["nothing"] * 120, "audio", "audio"]
    pipe = ScriptedPipe(Script(iter(reads), iter([*[True] * 122, False])), clock)
    guard = ReconnectingSource(pipe, LivenessSettings(), clock)
    guard.open()
    first, alarm = guard.read(), guard.read()
    assert first is not None
    assert alarm is not None
    assert alarm.interrupted
    assert guard.health.liveness is LivenessState.ALARMED
    assert not guard.live
    second = guard.read()
    assert second is not None
    assert second.position == first.end
    assert guard.health.liveness is LivenessState.HEALTHY
    assert guard.read() is None  # the end of the pipe


def switched(guard: ReconnectingSource, other: ScriptedDevice) -> str:
    """Switches on another thread, as the control endpoint does, while this one reads."""
    names: list[str] = []

    def another(device: str) -> ScriptedDevice:
        other.device = device
        return other

    guard._inner.another = another  # type: ignore[method-assign]

    def switch() -> None:
        try:
            names.append(guard.switch("line, ALSA"))
        except SourceError as error:
            names.append(str(error))

    thread = threading.Thread(target=switch)
    thread.start()
    while guard._hand_over is None:
        pass
    heard(guard)
    thread.join()
    return names[0]


@pytest.mark.parametrize("reads", [["audio"] * 3, ["audio", "gone"]], ids=["there", "away"])
def test_another_device_takes_the_place_at_its_place_in_time(reads: list[str]) -> None:
    guard, device = guarded(reads, [False] * 9)
    first = heard(guard)
    if "gone" in reads:
        guard.read()  # its loss
    other = ScriptedDevice(Script(iter(["audio"] * 9)), guard._clock)  # type: ignore[arg-type]
    assert switched(guard, other) == guard.device == "line, ALSA"
    assert (other.opened, device.closed > 0) == (1, True)
    block = heard(guard)
    assert block.position == round((guard._clock() - 50.0 - 2 * BLOCK_S) * RATE_HZ) + first.end
    assert guard.health.liveness is LivenessState.HEALTHY


def test_a_device_that_does_not_open_leaves_everything_as_it_was() -> None:
    guard, device = guarded(["audio"] * 3, [])
    heard(guard)
    other = ScriptedDevice(Script(iter([])), guard._clock)  # type: ignore[arg-type]
    other.open = lambda: fail("'line' is busy")  # type: ignore[method-assign]
    assert switched(guard, other) == "'line' is busy"
    assert (device.closed, guard.device) == (0, "")
    assert heard(guard).position == 200


def test_a_device_that_opens_too_late_is_closed_and_everything_stays_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconnect, "SWITCH_TIMEOUT_S", 0.2)
    guard, device = guarded(["audio"] * 3, [])
    heard(guard)
    other = ScriptedDevice(Script(iter([])), guard._clock)  # type: ignore[arg-type]
    gave_up, give_up = threading.Event(), reconnect._HandOver.give_up

    def noted(hand_over: reconnect._HandOver) -> bool:
        answer = give_up(hand_over)
        gave_up.set()
        return answer

    monkeypatch.setattr(reconnect._HandOver, "give_up", noted)
    other.open = lambda: gave_up.wait(60)  # type: ignore[method-assign,return-value,assignment]
    assert switched(guard, other).startswith("expected 'line, ALSA' to open within 0.2 s, found no")
    assert (other.closed, device.closed, guard.device) == (1, 0, "")
    assert heard(guard).position == 200


def fail(why: str) -> None:
    raise DeviceError(why)


def test_a_file_cannot_be_switched() -> None:
    guard, _ = guarded(["audio"], [])
    with pytest.raises(SourceError, match="expected a device, found 'mic'"):
        guard.switch("line")
