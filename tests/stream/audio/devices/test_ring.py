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
