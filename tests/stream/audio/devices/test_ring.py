"""A device through its callback and its ring, on a PortAudio of our own."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mmgat.stream.audio.devices.device as devices
import mmgat.stream.audio.devices.listing as device_list
from mmgat.stream.audio.devices.device import RING_S, DeviceSource
from mmgat.stream.audio.source import Block
from mmgat.stream.errors import DeviceError

RATE_HZ = 1000
RING = round(RING_S * RATE_HZ)


class InputStream:
    latency = 0.012

    def __init__(self, callback: Any, **_: object) -> None:
        self.callback, self.active = callback, True

    def start(self) -> None: ...

    def close(self) -> None:
        self.active = False


PORTAUDIO = SimpleNamespace(
    InputStream=InputStream,
    PortAudioError=RuntimeError,
    default=SimpleNamespace(device=(0, 0)),
    query_hostapis=lambda _: {"name": "Test"},
    query_devices=lambda: [
        {"index": 0, "name": "mic", "hostapi": 0, "max_input_channels": 1,
         "default_samplerate": float(RATE_HZ)}
    ],
)  # fmt: skip


class Device:
    """A device that was opened, and what it has given so far: a ramp."""

    def __init__(self) -> None:
        self.now = 100.0
        self.n_given = 0
        self.source = DeviceSource(clock=lambda: self.now)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(devices, "portaudio", lambda: PORTAUDIO)
            patch.setattr(device_list, "portaudio", lambda: PORTAUDIO)
            self.source.open()

    def give(self, n_frames: int, overflow: bool = False) -> None:
        ramp = np.arange(self.n_given, self.n_given + n_frames, dtype=np.float32)[:, None]
        self.source._callback(ramp, n_frames, None, SimpleNamespace(input_overflow=overflow))
        self.n_given += n_frames
        self.now += n_frames / RATE_HZ

    def read(self) -> Block:
        block = self.source.read()
        assert block is not None
        return block


def ramp_of(block: Block) -> np.ndarray:
    return np.arange(block.position, block.end, dtype=np.float32)[:, None]


@settings(max_examples=50)
@given(st.lists(st.integers(1, RING // 4), min_size=1, max_size=30))
def test_what_is_read_in_time_comes_whole_and_in_order_also_around_the_rings_end(
    sizes: list[int],
) -> None:
    device, expected = Device(), 0
    for size in sizes:
        device.give(size)
        block = device.read()
        assert (block.position, len(block.samples)) == (expected, size)
        np.testing.assert_array_equal(block.samples, ramp_of(block))
        expected = block.end
    device.source.close()


@pytest.mark.parametrize("blocks", [7, 8, 12])
def test_what_is_not_read_in_time_is_a_jump_and_never_old_or_mixed(blocks: int) -> None:
    device = Device()
    for _ in range(blocks):
        device.give(RING // 5)
    block = device.read()
    assert block.end == blocks * (RING // 5)
    assert 0 < len(block.samples) <= RING - RING // 4
    np.testing.assert_array_equal(block.samples, ramp_of(block))
    device.source.close()


def test_overflows_are_counted() -> None:
    device = Device()
    for number in range(5):
        device.give(10, overflow=number % 2 == 0)
    assert device.source.health.xruns == 3
    device.source.close()


def test_time_that_the_clock_knows_of_and_the_device_does_not_is_a_jump_and_counted() -> None:
    device, blocks = Device(), []

    def play(seconds: float) -> None:
        for _ in range(round(10 * seconds)):
            device.give(100)
            blocks.append(device.read())

    play(5)
    device.now += 18.0  # the program was stopped, and the server dropped what nobody took
    play(5)
    jumps = [b.position - a.end for a, b in pairwise(blocks)]
    (lost,) = [jump for jump in jumps if jump]
    assert lost == pytest.approx(18 * RATE_HZ, abs=100)
    assert blocks[-1].end == pytest.approx(28 * RATE_HZ, abs=100)
    health = device.source.health
    assert (health.xruns, health.lost_s) == (1, lost / RATE_HZ)
    assert health.warning.startswith("the audio system has lost 18.")
    device.now += 60
    assert device.source.health.warning == ""
    device.source.close()


def test_a_device_that_gives_nothing_gives_an_empty_block_and_one_that_stopped_an_error() -> None:
    device = Device()
    ticks = iter(range(10_000))
    device.source._clock = lambda: 100.0 + 0.1 * next(ticks)
    assert len(device.read().samples) == 0
    device.source._stream.active = False
    device.source._clock = lambda: 100.0
    with pytest.raises(DeviceError, match="'mic' stopped giving audio"):
        device.source.read()
    device.source.close()


def test_a_device_is_opened_with_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def opened(**options: Any) -> InputStream:
        asked.update(options)
        return InputStream(**options)

    portaudio = SimpleNamespace(**vars(PORTAUDIO) | {"InputStream": opened})
    for module in (devices, device_list):
        monkeypatch.setattr(module, "portaudio", lambda: portaudio)
    source = DeviceSource("mic", 8000, 1, blocksize=256, latency=0.2)
    source.open()
    source.close()
    assert asked.pop("callback") == source._callback
    assert asked == {
        "device": 0, "samplerate": 8000, "channels": 1, "blocksize": 256, "latency": 0.2,
        "dtype": "float32",
    }  # fmt: skip


def test_what_was_missed_in_a_pause_is_a_jump_and_what_came_before_it_is_whole() -> None:
    device = Device()
    with pytest.MonkeyPatch.context() as patch:
        for module in (devices, device_list):
            patch.setattr(module, "portaudio", lambda: PORTAUDIO)
        device.give(100)
        device.source.pause()
        assert not device.source._stream
        device.now += 3.0
        device.source.resume()
    device.give(50)
    before, behind = device.read(), device.read()
    assert (before.position, before.end) == (0, 100)
    assert (behind.position, len(behind.samples)) == (100 + 3 * RATE_HZ, 50)
    device.source.close()


def test_a_device_that_is_gone_behind_a_pause_is_told_by_the_next_read() -> None:
    device = Device()
    with pytest.MonkeyPatch.context() as patch:
        empty = SimpleNamespace(**vars(PORTAUDIO) | {"query_devices": list})
        for module in (devices, device_list):
            patch.setattr(module, "portaudio", lambda: empty)
        device.source.pause()
        device.source.resume()
    with pytest.raises(DeviceError, match="expected a default input device, found none"):
        device.source.read()
    device.source.close()


def test_a_device_that_was_opened_anew_counts_from_zero() -> None:
    device = Device()
    device.give(300)
    device.read()
    began_anew: list[str] = []
    portaudio = SimpleNamespace(
        **vars(PORTAUDIO),
        _terminate=lambda: began_anew.append("end"),
        _initialize=lambda: began_anew.append("begin"),
    )
    with pytest.MonkeyPatch.context() as patch:
        for module in (devices, device_list):
            patch.setattr(module, "portaudio", lambda: portaudio)
        device.source.reopen()
    assert began_anew == ["end", "begin"]
    device.n_given = 0
    device.give(20)
    block = device.read()
    assert (block.position, block.samples[0, 0], block.end) == (0, 0.0, 20)
    device.source.close()


def test_another_device_has_the_rate_the_channels_and_the_clock_of_this_one() -> None:
    device = Device()
    other = device.source.another("line")
    assert other.name == "line"
    assert (other._wanted_rate, other._wanted_channels) == (RATE_HZ, 1)
    assert other._clock is device.source._clock
    device.source.close()


def test_a_device_that_the_server_has_moved_is_a_fault() -> None:
    device = Device()
    device.give(10)
    device.source._server.fault = "the audio server moved it from 'lab' to 'hall'"
    with pytest.raises(DeviceError, match="moved it from 'lab' to 'hall'"):
        device.source.read()
    device.source.close()
    assert device.source._server.fault == ""


def test_a_device_says_how_late_its_sound_comes_and_how_long_its_callback_took() -> None:
    device = Device()
    device.give(10)
    health = device.source.health
    assert health.capture_ms == 12.0
    assert 0 < health.longest_callback_ms < 1000
    assert (health.drift_ppm, health.lost_s, health.warning) == (None, 0.0, "")
    longest = health.longest_callback_ms
    device.source._longest_callback_ms = 5000.0
    device.give(10)
    assert device.source.health.longest_callback_ms == 5000.0 > longest
    device.source.close()


def test_a_clock_that_is_fast_shows_after_five_minutes() -> None:
    device = Device()
    for _ in range(320):
        device.give(RATE_HZ)
        device.now -= 0.001  # a second's frames in less than a second
        device.read()
    assert device.source.health.drift_ppm == pytest.approx(1001, abs=10)
    device.source.close()


def test_a_device_that_was_stopped_ends_its_read_and_one_that_closed_is_closed() -> None:
    device = Device()
    stream = device.source._stream
    device.source.stop()
    assert device.source.read() is None
    device.source.close()
    assert (stream.active, device.source._stream) == (False, None)
    assert device.source not in devices._open
