"""What is played, on an output of our own; a real one is in test_monitor_heard."""

from __future__ import annotations

import logging
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import mmgat.stream.audio.devices.monitor as monitors
from mmgat.stream.audio.devices.monitor import Monitor
from mmgat.stream.audio.source import Block
from mmgat.stream.errors import DeviceError


class Output:
    """Notes how it is opened and what it is given; it may fail, or not go on until it is told."""

    def __init__(self) -> None:
        self.opened: list[tuple[int, int, str]] = []
        self.played: list[np.ndarray] = []
        self.n_closed = 0
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.fault: Exception | None = None

    def __call__(self, rate_hz: int, channels: int, dtype: str) -> Output:
        self.opened.append((rate_hz, channels, dtype))
        return self

    def __enter__(self) -> Output:
        return self

    def __exit__(self, *_: object) -> None:
        self.n_closed += 1

    def write(self, samples: np.ndarray) -> None:
        self.goes_on.wait(60)
        if self.fault:
            raise self.fault
        self.played.append(samples)


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Output:
    output = Output()
    monkeypatch.setattr(monitors, "portaudio", lambda: SimpleNamespace(OutputStream=output))
    return output


def block(channels: int, value: float = 1.0) -> Block:
    return Block(0, np.full((480, channels), value, np.float32), 0.0)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(("channels", "heard"), [(1, 1), (2, 2), (3, 2)])
def test_only_the_first_stream_is_played_in_order_with_two_channels_at_most(
    output: Output, channels: int, heard: int
) -> None:
    monitor = Monitor()
    for value, name in enumerate(("first", "second", "first")):
        monitor.on_block(name, 48_000, True, block(channels, value))
    monitor.close()
    assert output.opened == [(48_000, heard, "float32")]
    assert [(samples.shape, samples[0, 0]) for samples in output.played] == [
        ((480, heard), 0.0),
        ((480, heard), 2.0),
    ]
    assert all(samples.flags.c_contiguous for samples in output.played)
    assert output.n_closed == 1


def test_a_monitor_that_heard_nothing_opens_nothing(output: Output) -> None:
    Monitor().close()
    assert output.opened == []


def test_what_an_output_does_not_take_in_time_is_left_out_and_told(
    output: Output, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(monitors, "MAX_BLOCKS", 3)
    monkeypatch.setattr(monitors, "CLOSE_TIMEOUT_S", 0.01)
    output.goes_on.clear()
    monitor = Monitor()
    with caplog.at_level(logging.WARNING):
        for _ in range(6):
            monitor.on_block("desk", 48_000, True, block(1))
    assert "the audio output does not keep up: --monitor leaves out some sound" in lines(caplog)
    monitor.close()  # returns though the output hangs
    assert output.n_closed == 0
    assert monitor._thread
    assert monitor._thread.daemon  # it keeps no process alive
    output.goes_on.set()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (DeviceError("expected PortAudio, found none"), "plays nothing: expected PortAudio"),
        (RuntimeError("unplugged"), "plays nothing more, the audio output failed: unplugged"),
    ],
)
def test_an_output_that_fails_is_one_warning_and_nothing_more_is_played(
    output: Output, fault: Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    output.fault = fault
    monitor = Monitor()
    with caplog.at_level(logging.WARNING):
        monitor.on_block("desk", 48_000, True, block(1))
        thread: Any = monitor._thread
        thread.join(20)
        monitor.on_block("desk", 48_000, True, block(1))
        monitor.close()
    (line,) = lines(caplog)
    assert told in line
    assert (output.played, len(output.opened)) == ([], 1)
