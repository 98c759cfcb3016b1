from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmgat.stream.bus.protocol import Message, SourceInfo
from mmgat.stream.dashboard.drawing.words import (
    StatusItem,
    clipping,
    clock,
    connection_text,
    duration,
    estimate_text,
    health,
    held,
    span,
    time_of_day,
)
from mmgat.stream.dashboard.state.dashboard import DashboardState, advance
from tests.stream.dashboard.builders import MIC, estimate, hello, status


def words(*messages: Message, now: float = 0.0, **changes: int) -> list[tuple[str, bool]]:
    state = DashboardState(address="", **changes)
    for message in messages:
        state = advance(state, message, 0.0)
    return [(note.text, note.warning) for note in health(state, state.sources.get(MIC), now)]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00"), (61.9, "01:01"), (3599, "59:59"), (3661, "1:01:01")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@given(st.floats(0, 1e6))
def test_clock_says_the_second_that_it_was_given(seconds: float) -> None:
    total = 0
    for part in clock(seconds).split(":"):
        total = 60 * total + int(part)
    assert total == int(seconds)
    assert held(seconds).replace(":", "").lstrip("0") == clock(seconds).replace(":", "").lstrip("0")


@pytest.mark.parametrize(("seconds", "text"), [(1.24, "1.2 s"), (75.0, "01:15"), (59.96, "01:00")])
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(60, "1 min"), (1800, "30 min"), (3600, "1 h")])
def test_span(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize("unix_time", [None, 0.0, 1e300])
def test_an_unknown_time_of_day_is_dashes(unix_time: float | None) -> None:
    assert time_of_day(unix_time) == "--:--:--"


def test_healthy_engine_lost_nothing() -> None:
    assert words(estimate(), status()) == [
        ("nothing lost", False), ("130 ms behind", False), ("12 % of one core", False),
    ]  # fmt: skip


def test_nothing_is_claimed_of_an_engine_that_is_gone() -> None:
    assert words(estimate(), status(), now=10.0) == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"dropped": 57600}, "1.2 s dropped"),
        ({"outages": 2}, "2 outages"),
        ({"xruns": 1}, "1 overrun"),
        ({"nonfinite": 12}, "12 bad samples"),
        ({"message": "input overflow"}, "input overflow"),
    ],
)
def test_faults_come_first_as_warnings(changes: dict[str, object], text: str) -> None:
    assert words(estimate(), status(**changes))[0] == (text, True)


def test_faults_of_the_bus_are_warnings() -> None:
    assert words(lost=1, unreadable=2) == [
        ("1 message lost on the way", True), ("2 unreadable messages", True),
    ]  # fmt: skip


def test_too_slow_is_a_warning() -> None:
    told = words(estimate(), status(real_time_factor=1.3))
    assert ("130 % of one core, too slow", True) in told


def test_a_lost_device_is_named_as_that() -> None:
    state = advance(DashboardState(address=""), estimate(), 0.0)
    state = advance(state, status(liveness="recovering"), 9.0)
    told = connection_text(state, state.sources[MIC], 9.0)
    assert told == "NO SOUND, recovering: nothing for 9 s"


def test_connection_text_while_nobody_speaks() -> None:
    state = DashboardState(address="tcp://studio:5550")
    assert connection_text(state, None, 0.0) == "waiting for tcp://studio:5550"
    told = connection_text(advance(state, hello(), 0.0), None, 0.0)
    assert told == "connected, waiting for sound"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, ""),
        ({"silent": True, "warming_up": True}, "silence, -20 dBFS"),
        ({"warming_up": True}, "warming up"),
        ({"partial": True}, "less than a second of sound"),
    ],
)
def test_estimate_text(changes: dict[str, bool], text: str) -> None:
    assert estimate_text(estimate(**changes)) == text


def test_clip_warning_turns_into_a_count() -> None:
    state = advance(DashboardState(address=""), status(), 0.0)
    source = advance(state, status(clipped=1), 10.0).sources[MIC]
    assert clipping(state.sources[MIC], None, 10.0) is None
    assert clipping(source, None, 12.9) == StatusItem("CLIPPING: lower the input", warning=True)
    assert clipping(source, None, 13.0) == StatusItem("1 sample at full scale")


def test_a_file_that_clips_cannot_be_turned_down() -> None:
    state = advance(DashboardState(address=""), status(), 0.0)
    source = advance(state, status(clipped=2), 10.0).sources[MIC]
    song = SourceInfo(name=MIC, kind="file", sample_rate_hz=44100, channels=2)
    assert clipping(source, song, 10.5) == StatusItem("2 samples at full scale", warning=True)
