import threading
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmgat.stream.audio.source import Block
from mmgat.stream.engine.block_queue import BlockQueue, SampleAccount


def block(position: int, size: int) -> Block:
    return Block(position, np.zeros((size, 1), np.float32), 0.0)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(1, 50), st.integers(0, 30)),
            st.tuples(st.just("get"), st.just(0), st.just(0)),
        ),
        max_size=60,
    ),
    st.booleans(),
)
def test_the_account_balances_at_every_step(
    actions: list[tuple[str, int, int]], discard: bool
) -> None:
    queue, position = BlockQueue(100, lossy=True), 0
    taken = 0
    for action, size, gap in actions:
        if action == "put":
            position += gap
            queue.put(block(position, size))
            position += size
        elif queue.account.queued:
            got = queue.take()
            assert got is not None
            taken += len(got.samples)
        assert queue.account.balanced
        assert queue.account.queued <= 100
    queue.close(discard)
    while (rest := queue.take()) is not None:
        taken += len(rest.samples)
    account = queue.account
    assert account.balanced
    assert (account.captured, account.analysed, account.queued) == (position, taken, 0)
    assert discard or account.discarded == 0


def test_a_full_lossy_queue_drops_its_oldest() -> None:
    queue = BlockQueue(100, lossy=True)
    for position in (0, 50, 100):
        queue.put(block(position, 50))
    first = queue.take()
    assert first is not None
    assert first.position == 50
    assert queue.account == SampleAccount(captured=150, analysed=50, dropped=50, queued=50)


def test_a_jump_in_the_positions_is_captured_and_dropped() -> None:
    queue = BlockQueue(100, lossy=True)
    queue.put(block(0, 10))
    queue.put(block(30, 10))
    assert queue.account == SampleAccount(captured=40, dropped=20, queued=20)


def test_a_full_lossless_queue_makes_the_writer_wait() -> None:
    queue = BlockQueue(100, lossy=False)
    queue.put(block(0, 100))
    written = threading.Event()

    def write() -> None:
        queue.put(block(100, 60))
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert not written.is_set()
    assert queue.take() is not None
    assert written.wait(10)
    writer.join()
    assert queue.account == SampleAccount(captured=160, analysed=100, queued=60)


def test_a_block_larger_than_the_queue_still_passes() -> None:
    queue = BlockQueue(100, lossy=False)
    queue.put(block(0, 500))
    got = queue.take()
    assert got is not None
    assert len(got.samples) == 500


def test_closing_wakes_a_waiting_writer_and_counts_its_block_as_discarded() -> None:
    queue = BlockQueue(100, lossy=False)
    queue.put(block(0, 100))
    writer = threading.Thread(target=queue.put, args=[block(100, 60)])
    writer.start()
    queue.close(discard=True)
    writer.join(10)
    assert not writer.is_alive()
    assert queue.account == SampleAccount(captured=160, discarded=160)


def test_blocks_that_follow_each_other_are_taken_together_up_to_a_size() -> None:
    queue = BlockQueue(200, lossy=True)
    for position in (0, 10, 20, 30, 50, 60):
        queue.put(block(position, 10))
    taken = []
    while (one := queue.take(at_most=30)) is not None:
        taken.append((one.position, len(one.samples)))
    assert taken == [(0, 30), (30, 10), (50, 20)]
    assert queue.account == SampleAccount(captured=70, analysed=60, dropped=10)


def test_while_a_lossless_writer_waits_the_account_is_balanced() -> None:
    queue = BlockQueue(100, lossy=False)
    seen: list[SampleAccount] = []

    class Watched(threading.Condition):
        def wait_for(self, predicate, timeout=None):  # type: ignore[no-untyped-def]
            seen.append(queue.account)
            return super().wait_for(predicate, timeout)

    queue._changed = Watched()
    queue.put(block(0, 100))
    writer = threading.Thread(target=queue.put, args=[block(130, 60)])
    writer.start()
    while queue.take() is None or queue.account.queued == 0:
        if not writer.is_alive():
            break
    writer.join(10)
    assert len(seen) == 2
    assert all(account.balanced for account in seen)
    assert queue.account.captured == 190


def test_an_interruption_is_not_joined_to_what_follows_it() -> None:
    queue = BlockQueue(200, lossy=True)
    queue.put(block(0, 10))
    queue.put(replace(block(10, 0), interrupted=True))
    queue.put(block(10, 10))
    first, second = queue.take(100), queue.take(100)
    assert first is not None
    assert second is not None
    assert (first.position, len(first.samples), first.interrupted) == (0, 10, True)
    assert (second.position, len(second.samples), second.interrupted) == (10, 10, False)
