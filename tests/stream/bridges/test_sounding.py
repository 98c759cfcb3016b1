"""What a receiver is told, from messages that are replayed, lost, or stop."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mmgat.stream.bridges import sounding
from mmgat.stream.bridges.base import Signal, SourceLost
from mmgat.stream.bridges.sounding import Sounding
from mmgat.stream.bus.protocol import Event
from tests.stream.bus.messages import ESTIMATE, HELLO, STATUS, event

QUIET = msgspec.structs.replace(ESTIMATE, active=[])


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tracker(clock: Clock) -> Sounding:
    return Sounding(clock)


def told(signals: list[Signal]) -> list[tuple[str, str]]:
    """Kind and id of the events among the signals."""
    return [(s.event, s.id) for s in signals if isinstance(s, Event)]


def replay(**changes: Any) -> Event:
    return event(replayed=True, **changes)


def test_an_event_is_passed_on_as_it_is(tracker: Sounding) -> None:
    assert tracker.update(event(1.0)) == [event(1.0)]


def test_what_was_replayed_and_is_over_is_not_passed_on(tracker: Sounding) -> None:
    tracker.update(replay(id="a-1"))
    tracker.update(replay(id="a-1", event="off"))
    tracker.update(replay(id="a-2"))
    assert told(tracker.update(STATUS)) == [("on", "a-2")]


def test_what_was_replayed_is_passed_on_when_nothing_follows(tracker: Sounding) -> None:
    assert tracker.update(replay()) == []
    assert told(tracker.tick()) == [("on", "a-1")]


def test_an_end_that_was_missed_comes_with_its_replay(tracker: Sounding) -> None:
    tracker.update(event(id="a-1"))
    tracker.update(replay(id="a-1", event="off"))
    assert told(tracker.tick()) == [("off", "a-1")]


def test_history_of_an_instrument_that_has_ended_since_begins_nothing(tracker: Sounding) -> None:
    tracker.update(event(id="a-2", event="off", seq=9))
    tracker.update(replay(id="a-2", seq=8))
    assert told(tracker.tick()) == []


def test_a_second_on_ends_the_first(tracker: Sounding) -> None:
    tracker.update(event(id="a-1"))
    assert told(tracker.update(event(id="a-2"))) == [("off", "a-1"), ("on", "a-2")]


def test_an_off_of_what_is_not_on_is_no_news(tracker: Sounding) -> None:
    assert tracker.update(event(event="off")) == []


def test_two_estimates_end_what_has_lost_its_off(tracker: Sounding) -> None:
    tracker.update(event())
    assert told(tracker.update(QUIET)) == []
    assert told(tracker.update(QUIET)) == [("off", "a-1")]


def test_two_estimates_begin_what_has_lost_its_on(tracker: Sounding) -> None:
    assert told(tracker.update(ESTIMATE)) == []
    assert told(tracker.update(ESTIMATE)) == [("on", "a@3")]


@pytest.mark.parametrize(
    "message",
    [msgspec.structs.replace(STATUS, state="ended"), msgspec.structs.replace(STATUS, session="b")],
    ids=["the source has ended", "the engine was started anew"],
)
def test_what_sounded_ends(tracker: Sounding, message: Any) -> None:
    tracker.update(event())
    assert told(tracker.update(message)) == [("off", "a-1")]


def test_silence_of_the_engine_ends_what_sounded_and_is_told_once(
    tracker: Sounding, clock: Clock
) -> None:
    tracker.update(event())
    clock.now = sounding.STALE_S - 0.01
    assert tracker.tick() == []
    clock.now = sounding.STALE_S
    signals = tracker.tick()
    assert told(signals) == [("off", "a-1")]
    assert signals[-1] == SourceLost(source="lab")
    clock.now = 100.0
    assert tracker.tick() == []


def test_a_source_that_is_silent_is_lost_also_while_others_speak(
    tracker: Sounding, clock: Clock
) -> None:
    tracker.update(event())
    signals: list[Signal] = []
    for tenth in range(1, round(10 * (sounding.STALE_S + sounding.LOOK_S)) + 1):
        clock.now = tenth / 10
        signals += tracker.update(msgspec.structs.replace(STATUS, source="desk"))
    assert told(signals) == [("off", "a-1")]
    assert [s for s in signals if isinstance(s, SourceLost)] == [SourceLost(source="lab")]


def test_where_the_bridge_itself_was_held_up_no_source_is_lost(
    tracker: Sounding, clock: Clock
) -> None:
    for source in ("lab", "desk"):
        tracker.update(event(source=source))
    clock.now = 100.0
    signals = [s for x in ("desk", "lab") for s in tracker.update(event(source=x, id="a-2"))]
    assert told(signals) == [("off", "a-1"), ("on", "a-2")] * 2
    assert not any(isinstance(s, SourceLost) for s in signals)


def test_other_sources_are_not_touched(tracker: Sounding) -> None:
    tracker.update(event(source="desk"))
    tracker.update(event())
    tracker.update(msgspec.structs.replace(STATUS, state="failed"))
    assert told(tracker.end_all()) == [("off", "a-1")]
    assert tracker.end_all() == []


def test_a_receiver_that_joins_gets_the_state(tracker: Sounding) -> None:
    for message in (HELLO, ESTIMATE, STATUS, event()):
        tracker.update(message)
    assert tracker.snapshot() == [HELLO, ESTIMATE, STATUS, event()]


def test_a_peer_that_names_ever_new_labels_is_bounded(tracker: Sounding) -> None:
    signals = [s for i in range(1000) for s in tracker.update(event(id=str(i), label=str(i)))]
    assert len(signals) == sounding.MAX_LABELS
    assert told(tracker.update(event(event="off", id="0", label="0"))) == [("off", "0")]


def test_a_new_source_takes_the_place_of_one_that_is_lost_and_of_none_that_speaks(
    tracker: Sounding, clock: Clock
) -> None:
    for number in range(sounding.MAX_SOURCES):
        tracker.update(msgspec.structs.replace(STATUS, source=str(number)))
    assert tracker.update(event(source="new")) == []
    clock.now = 100.0
    tracker.tick()
    assert told(tracker.update(event(source="new"))) == [("on", "a-1")]
    assert len(tracker.snapshot()) == 2 * sounding.MAX_SOURCES - 1
