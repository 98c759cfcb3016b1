"""What a newcomer is told of the time before."""

from __future__ import annotations

import msgspec

from mmgat.stream.bus.protocol import PREFIX, Message
from mmgat.stream.bus.publisher import REPLAY_PAUSE_S, REPLAY_PERIOD_S
from mmgat.stream.bus.replay import (
    MAX_EVENTS,
    MAX_MARKS,
    MAX_SOUNDING,
    MAX_TOPICS_ASKED,
    PORTION,
    Replay,
)
from tests.stream.bus.messages import ESTIMATE, HELLO, STATUS, event

HISTORY_S = 600.0
NOW = 1e9


def kept(
    *messages: Message, topics: tuple[str, ...] = (PREFIX,), now: float = NOW
) -> list[Message]:
    replay = Replay(HISTORY_S)
    for message in messages:
        replay.keep(message)
    return replay.messages(now, topics)


def replayed(message: Message) -> Message:
    return msgspec.structs.replace(message, replayed=True)


def test_hello_and_the_last_estimate_and_status_of_each_source() -> None:
    line = msgspec.structs.replace(ESTIMATE, source="line")
    newer = msgspec.structs.replace(ESTIMATE, index=4, seq=1)
    assert kept(HELLO, ESTIMATE, line, STATUS, newer) == [
        replayed(m) for m in (HELLO, newer, line, STATUS)
    ]


def test_events_of_the_last_ten_minutes() -> None:
    old = event(id="1", event="off", seq=0, time=NOW - HISTORY_S - 1)
    late = event(id="2", event="off", seq=1, time=NOW - HISTORY_S + 1)
    assert kept(old, late) == [replayed(late)]


def test_what_is_on_with_its_onset_however_long_ago() -> None:
    on = event(12.5, id="1", seq=0, time=NOW - 3600)
    late = event(id="2", event="off", seq=7, time=NOW - 1)
    assert kept(on, late) == [replayed(on), replayed(late)]


def test_what_has_ended_long_ago_is_not_told() -> None:
    on = event(id="1", seq=0, time=NOW - 3600)
    off = event(id="1", seq=1, event="off", time=NOW - 3000)
    assert kept(on, off) == []


def test_every_event_once_in_the_order_of_its_seq() -> None:
    events = [event(id=str(n), seq=n, time=NOW) for n in range(5)]
    assert [m.seq for m in kept(*events)] == [0, 1, 2, 3, 4]


def test_only_topics_that_were_asked_for() -> None:
    line = event(source="line", time=NOW)
    assert kept(HELLO, line, event(time=NOW), topics=("mmgat/v2/event/li",)) == [replayed(line)]


def test_it_is_bounded() -> None:
    on = [event(id=str(n), seq=n, time=NOW - 3600) for n in range(2000)]
    off = [event(id=f"x{n}", seq=2000 + n, event="off", time=NOW) for n in range(2000)]
    seqs = [message.seq for message in kept(*on, *off)]
    assert seqs == [*range(2000 - MAX_SOUNDING, 2000), *range(4000 - MAX_EVENTS, 4000)]


def test_newcomers_topics_are_bounded_and_asked_for_once() -> None:
    replay = Replay(HISTORY_S)
    replay.keep(HELLO)
    for n in range(MAX_TOPICS_ASKED):
        replay.ask(b"nothing/%d" % n)
    replay.ask(PREFIX.encode())
    assert replay.asked
    replay.begin(NOW)
    assert not replay.asked
    assert not replay.waiting  # the last one had no room
    replay.ask(PREFIX.encode())
    replay.begin(NOW)
    assert replay.portion() == [replayed(HELLO)]


def test_the_largest_replay_is_out_within_a_second_and_a_half() -> None:
    n_sources = 32
    largest = 2 + 2 * n_sources + MAX_MARKS + MAX_SOUNDING + MAX_EVENTS
    assert REPLAY_PERIOD_S + largest / PORTION * REPLAY_PAUSE_S < 1.5
