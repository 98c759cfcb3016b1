"""Many live streams: short blocks wait for each other, windows do not wait for blocks."""

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mmgat.stream.audio.inputs import StreamInput
from mmgat.stream.audio.source import Block
from mmgat.stream.bus.protocol import Estimate
from mmgat.stream.engine.stream import Stream
from mmgat.stream.recognition.pipeline import recognize_batch
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings
from tests.conftest import melody
from tests.stream.engine.test_overload import Microphone

RATE_HZ = 48_000
SHAPE = StreamSettings(hop_s=0.5, nodes=4)
SIZE = 480


def run(
    recognizer: Recognizer, gathers: bool, interrupted_at: int = -1
) -> tuple[list[tuple[int, Estimate]], int]:
    """Estimates with the number of the block they came with, and how many pushes it took."""
    item = StreamInput("mic", Microphone(RATE_HZ))
    stream = Stream(item, recognizer, SHAPE, threading.Event(), [], lambda: 0.0, gathers)
    sound = melody(2.6, RATE_HZ)
    found: list[tuple[int, Estimate]] = []
    pushes: list[Block] = []
    push = stream.pipeline.push
    stream.pipeline.push = lambda block: (pushes.append(block), push(block))[1]  # type: ignore[assignment,method-assign,func-returns-value]
    n_blocks = len(sound) // SIZE
    for n in range(n_blocks):
        block = Block(n * SIZE, sound[n * SIZE : (n + 1) * SIZE], 0.0)
        stream.queue.put(replace(block, interrupted=n == interrupted_at))
        if n == n_blocks - 1:
            stream.queue.close(discard=False)
        stream.advance()
        while recognize_batch(recognizer, [stream.pipeline]):
            stream.advance()
        found += [(n, m) for m in stream.pipeline.drain() if isinstance(m, Estimate)]
    assert stream.done
    assert stream.queue.account.balanced
    return found, len(pushes)


@pytest.mark.parametrize("interrupted_at", [-1, 123], ids=["unbroken", "interrupted"])
def test_estimates_come_as_soon_from_a_tenth_of_the_pushes(
    make_recognizer: Callable[[StreamSettings], Recognizer], interrupted_at: int
) -> None:
    recognizer = make_recognizer(SHAPE)
    one_by_one, n_pushes = run(recognizer, False, interrupted_at)
    gathered, n_gathered = run(recognizer, True, interrupted_at)
    for (when, ours), (before, theirs) in zip(gathered, one_by_one, strict=True):
        assert abs(when - before) <= 1  # the resampler gives in portions of its own
        assert (ours.index, ours.t0, ours.t1) == (theirs.index, theirs.t0, theirs.t1)
        np.testing.assert_allclose(
            list(ours.scores.values()), list(theirs.scores.values()), atol=2e-6
        )
    assert n_pushes == 260
    assert n_gathered < n_pushes / 4


@pytest.mark.parametrize(("live", "may_wait_s"), [(True, 7.0), (False, 1.5)])
def test_of_a_live_source_seconds_may_wait_and_of_another_hops(
    make_recognizer: Callable[[StreamSettings], Recognizer], live: bool, may_wait_s: float
) -> None:
    shape = StreamSettings(hop_s=0.5, nodes=4, queue_s=7.0, queue_hops=3.0)
    source = Microphone(RATE_HZ)
    source.live = live
    item = StreamInput("mic", source)
    stream = Stream(item, make_recognizer(shape), shape, threading.Event(), [], lambda: 0.0, False)
    second = np.zeros((RATE_HZ // 2, 1), np.float32)
    for n in range(round(2 * may_wait_s)):
        stream.queue.put(Block(n * len(second), second, 0.0))
    assert (stream.queue.account.queued, stream.queue.account.dropped) == (may_wait_s * RATE_HZ, 0)
    if live:
        stream.queue.put(Block(stream.queue.position, second, 0.0))
        assert stream.queue.account.dropped == RATE_HZ // 2


def test_how_late_an_estimate_is_goes_by_the_clock_of_the_stream(
    make_recognizer: Callable[[StreamSettings], Recognizer],
) -> None:
    recognizer, item = make_recognizer(SHAPE), StreamInput("mic", Microphone(RATE_HZ))
    stream = Stream(item, recognizer, SHAPE, threading.Event(), [], lambda: 7.0, False)
    stream.queue.put(Block(0, melody(0.5, RATE_HZ), 6.0))
    stream.queue.put(Block(RATE_HZ // 2, melody(0.1, RATE_HZ), 6.1))
    stream.advance()
    assert recognize_batch(recognizer, [stream.pipeline])
    assert 900 <= stream.pipeline.latency_ms <= 1100
