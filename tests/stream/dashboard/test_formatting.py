from __future__ import annotations

import pytest

from mmgat.stream.bus.protocol import Message
from mmgat.stream.dashboard.formatting import (
    clipping,
    clock,
    connection_text,
    duration,
    estimate_text,
    event_text,
    health,
    held,
    identity,
)
from mmgat.stream.dashboard.state import DashboardState, advance
from tests.stream.dashboard.builders import MIC, estimate, event, hello, status


def words(*messages: Message, **changes: int) -> list[tuple[str, bool]]:
    state = DashboardState(address="", **changes)
    for message in messages:
        state = advance(state, message, 0.0)
    return [(note.text, note.warning) for note in health(state, state.sources.get(MIC))]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00"), (61.9, "01:01"), (3599, "59:59"), (3661, "1:01:01")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(1.24, "1.2 s"), (75.0, "01:15")])
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_healthy_engine_lost_nothing() -> None:
    assert words(estimate(latency_ms=118.4), status()) == [
        ("nothing lost", False),
        ("lag 130 ms", False),
        ("0.12 × real time", False),
        ("waiting 1000 ms", False),
        ("heard 01:05", False),
        ("analysed 01:04", False),
    ]


def test_the_counters_of_a_device_are_shown_when_they_are_known() -> None:
    shown = words(status(discarded=48_000, longest_callback_ms=0.42, drift_ppm=-12.3))
    assert shown[-3:] == [
        ("discarded 1.0 s", False),
        ("longest callback 0.4 ms", False),
        ("clock -12 ppm", False),
    ]


def test_a_lost_device_is_named_as_that() -> None:
    state = DashboardState(address="")
    for message in (estimate(), status(liveness="recovering", message="no audio for 9 s")):
        state = advance(state, message, 0.0)
    told = connection_text(state, state.sources[MIC], 9.0 - 6.5)
    assert told == "LIVE"
    state = advance(state, status(liveness="recovering"), 9.0)
    assert (
        connection_text(state, state.sources[MIC], 9.0) == "NO AUDIO, recovering: nothing for 9 s"
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"dropped": 57600}, "dropped 1.2 s"),
        ({"outages": 2}, "2 outages"),
        ({"xruns": 1}, "1 overrun"),
        ({"nonfinite": 12}, "12 bad samples"),
        ({"message": "input overflow"}, "input overflow"),
    ],
)
def test_faults_of_the_engine_come_first_as_warnings(changes: dict[str, object], text: str) -> None:
    assert words(status(**changes))[0] == (text, True)


def test_faults_of_the_bus_are_warnings() -> None:
    state = DashboardState(address="", lost=1, unreadable=2)
    notes = [(note.text, note.warning) for note in health(state, None)]
    assert notes == [("1 message lost", True), ("2 unreadable messages", True)]


def test_too_slow_is_a_warning() -> None:
    assert ("1.30 × real time, too slow", True) in words(status(real_time_factor=1.3))


def test_unknown_rate_divides_by_nothing() -> None:
    assert ("heard 00:00", False) in words(status(sample_rate_hz=0))


def test_identity() -> None:
    state = advance(advance(DashboardState(address=""), hello(), 0.0), estimate(), 0.0)
    assert [note.text for note in identity(state, state.sources[MIC])] == [
        "device 48 kHz stereo", "model tiny 0.3", "hop 0.5 s", "10 nodes", "cpu",
    ]  # fmt: skip


def test_connection_text_while_nobody_speaks() -> None:
    state = DashboardState(address="tcp://studio:5550")
    assert connection_text(state, None, 0.0) == "waiting for tcp://studio:5550"
    assert (
        connection_text(advance(state, hello(), 0.0), None, 0.0) == "connected, waiting for sound"
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, ""),
        ({"silent": True, "warming_up": True}, "silence"),
        ({"warming_up": True}, "warming up"),
        ({"partial": True}, "partial window"),
    ],
)
def test_estimate_text(changes: dict[str, bool], text: str) -> None:
    assert estimate_text(estimate(**changes)) == text


def test_clip_warning_turns_into_a_count() -> None:
    state = advance(DashboardState(address=""), status(), 0.0)
    source = advance(state, status(clipped=1), 10.0).sources[MIC]
    assert clipping(state.sources[MIC], 10.0) is None
    during, later = clipping(source, 12.9), clipping(source, 13.0)
    assert during is not None
    assert (during.text, during.warning) == ("CLIPPING: turn the input down", True)
    assert later is not None
    assert (later.text, later.warning) == ("1 clipped sample", False)


def test_events_are_told_with_times() -> None:
    assert (
        event_text(event("on", "mallet_percussion", 61.0, 61.0)) == "01:01 mallet percussion began"
    )
    assert event_text(event("off", "piano", 72.5, 61.0)) == "01:12 piano ended (11.5 s)"


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (0.4, "0:00"), (42.9, "0:42"), (3_725.0, "1:02:05")]
)
def test_held_is_short(seconds: float | None, text: str) -> None:
    assert held(seconds) == text
