"""A guarded source on a scripted device and a clock of our own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

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
        self._position = 0
        self.opened = 0

    def probe(self) -> None:
        self._set_info(RATE_HZ, 1)

    def open(self) -> None:
        self.probe()
        self.opened += 1
        self._position = 0

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

    def close(self) -> None: ...


def guarded(
    reads: list[str], reopenings: list[bool], **settings: float
) -> tuple[ReconnectingSource, ScriptedDevice]:
    clock = Clock()
    device = ScriptedDevice(Script(iter(reads), iter(reopenings)), clock)
    guard = ReconnectingSource(device, LivenessSettings(first_pause_s=0.0, **settings), clock)
    guard.open()
    return guard, device


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
    first, second, third = guard.read(), guard.read(), guard.read()
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.end == 100
    assert second.position == 100 + 100 + 1000  # the failed read and the opening took 1.1 s
    assert third.position == second.end
    assert (guard.health.outages, device.opened) == (1, 2)
    assert guard.health.liveness is LivenessState.HEALTHY


def test_a_device_that_falls_silent_without_a_word_is_opened_again() -> None:
    guard, device = guarded(["audio", *["nothing"] * 35, "audio"], [True])
    guard.read()
    block = guard.read()
    assert block is not None
    assert device.opened == 2
    assert block.position == pytest.approx(100 + 1000 * 4.5, abs=150)


def test_while_it_is_lost_it_says_so() -> None:
    guard, _ = guarded(["audio", "gone"], [False, False])
    guard.read()
    with pytest.raises(StopIteration):  # the script ends with a device still missing
        guard.read()
    assert guard.health.liveness is LivenessState.RECOVERING
    assert guard.health.warning == "no audio for 2 s: expected 'mic', found none"


def test_a_loss_that_nobody_wants_healed_is_an_error() -> None:
    guard, _ = guarded(["audio", "gone"], [], exit_on_loss=True)
    guard.read()
    with pytest.raises(SourceError, match="'mic' is lost: 'mic' stopped giving audio"):
        guard.read()
    assert guard.health.liveness is LivenessState.FAILED
