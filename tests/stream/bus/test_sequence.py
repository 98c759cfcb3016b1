"""What is new, what was lost, what a replay brings back."""

from __future__ import annotations

import pytest

from mmgat.stream.bus.protocol import Event
from mmgat.stream.bus.sequence import MAX_COUNT, MAX_TOPICS, LossCounter
from mmgat.stream.errors import ProtocolError
from tests.stream.bus.messages import event


def live(seq: int, **changes: object) -> Event:
    return event(session="a", seq=seq, **changes)


def again(seq: int, **changes: object) -> Event:
    return event(session="a", seq=seq, replayed=True, **changes)


def admitted(counter: LossCounter, *messages: Event) -> list[int]:
    return [message.seq for message in messages if counter.admit(message)]


def test_a_new_session_counts_from_its_own_start() -> None:
    losses = LossCounter()
    assert losses.admit(live(50))
    assert losses.admit(event(session="b", seq=0))
    assert losses.admit(event(session="b", seq=1))
    assert (losses.lost, losses.restarts, losses.session) == (0, 1, "b")


def test_a_newcomers_replay_is_new_and_no_loss() -> None:
    losses = LossCounter()
    assert admitted(losses, again(5), again(40), again(41), live(42)) == [5, 40, 41, 42]
    assert losses.lost == 0


def test_history_that_comes_after_a_live_message_is_new() -> None:
    losses = LossCounter()
    assert admitted(losses, live(57), again(55), again(56), again(57), live(58)) == [57, 55, 56, 58]
    assert losses.lost == 0


def test_history_that_comes_after_several_live_messages_is_new() -> None:
    losses = LossCounter()
    assert admitted(losses, live(57), live(58), again(56), again(57)) == [57, 58, 56]
    assert losses.lost == 0


def test_a_replay_for_a_newcomer_that_has_had_the_end_of_another_one_is_whole() -> None:
    losses = LossCounter()
    end = [again(seq) for seq in (5, 20, 21)]
    whole = [again(seq) for seq in (2, 4, 5, 19, 20, 21, 22)]
    assert admitted(losses, *end, *whole) == [5, 20, 21, 2, 4, 19, 22]


def test_a_replay_for_others_is_dropped() -> None:
    losses = LossCounter()
    assert admitted(losses, live(0), live(1), again(0), again(1), again(0), live(2)) == [0, 1, 2]
    assert losses.lost == 0


def test_a_replay_brings_back_what_was_lost() -> None:
    losses = LossCounter()
    assert admitted(losses, live(0), live(5)) == [0, 5]
    assert losses.lost == 4
    assert admitted(losses, again(3), again(4), again(5), again(3)) == [3, 4]
    assert losses.lost == 2


def test_a_jump_after_a_replay_is_counted_from_the_first_live_message_on() -> None:
    losses = LossCounter()
    assert admitted(losses, again(3), live(9), live(12)) == [3, 9, 12]
    assert losses.lost == 2


def test_the_topics_of_a_peer_are_bounded() -> None:
    losses = LossCounter()
    for n in range(MAX_TOPICS):
        losses.admit(live(0, source=str(n)))
    with pytest.raises(ProtocolError, match="at most 1024 topics"):
        losses.admit(live(0, source="one more"))
    assert losses.admit(live(1, source="7"))


def test_the_count_is_bounded() -> None:
    losses = LossCounter()
    for n in range(3):
        losses.admit(live(0, source=str(n)))
        losses.admit(live(MAX_COUNT, source=str(n)))
    assert losses.lost == MAX_COUNT


def test_a_gap_is_filled_however_many_messages_have_come_since() -> None:
    losses = LossCounter()
    admitted(losses, live(0), live(3), *map(live, range(4, 40)))
    assert losses.lost == 2
    assert admitted(losses, again(1), again(2), again(3)) == [1, 2]
    assert losses.lost == 0
