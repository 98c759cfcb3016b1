"""A stream under overload, on a clock that the slow recogniser itself advances."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmgat.model.backends.base import Graphs
from mmgat.model.backends.loading import LoadedModel
from mmgat.model.embedders.registry import embedder_spec
from mmgat.model.labels import LABELS
from mmgat.stream.audio.inputs import StreamInput
from mmgat.stream.audio.source import AudioSource, Block
from mmgat.stream.bus.protocol import Estimate, Event
from mmgat.stream.engine.stream import Stream
from mmgat.stream.recognition.pipeline import recognize_batch
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings
from tests.conftest import untrained_card

SECONDS = 60.0
BLOCK_S = 0.05


class Microphone(AudioSource):
    """Only describes itself: the simulation puts its blocks."""

    live = True

    def __init__(self, rate_hz: int) -> None:
        super().__init__("mic", "device", rate_hz, 1)

    def probe(self) -> None: ...

    def open(self) -> None: ...

    def read(self) -> Block | None: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


class Overload:
    """One stream whose windows take ``load`` hops each; a piano sounds all the time."""

    device = "cpu"

    def __init__(self, load: float, hop_s: float, rate_hz: int, seconds: float = SECONDS) -> None:
        self._cost_s, self._rate, self._seconds = load * hop_s, rate_hz, seconds
        shape = StreamSettings(hop_s=hop_s, nodes=4)
        model = LoadedModel(untrained_card(), embedder_spec("convnet"), self, "in a test")
        self.recognizer = Recognizer(model, shape)
        item = StreamInput("mic", Microphone(rate_hz))
        self.stream = Stream(
            item, self.recognizer, shape, threading.Event(), [], lambda: self.now, False
        )
        self.now = 0.0
        self._n_blocks = 0

    def __call__(
        self, log_mel: npt.NDArray[np.float32], graphs: Graphs
    ) -> tuple[npt.NDArray[np.float32], ...]:
        """What a backend returns, after the time that it takes."""
        self._advance(self._cost_s)
        n, n_nodes = graphs.mask.shape
        scores = np.full((n, len(LABELS)), 0.01, np.float32)
        scores[:, LABELS.index("piano")] = 0.9
        evidence = np.zeros((n, n_nodes, len(LABELS)), np.float32)
        row = np.zeros((n, n_nodes), np.float32)
        return np.zeros((n, 128), np.float32), scores, evidence, row

    def run(self) -> list[Estimate | Event]:
        messages: list[Estimate | Event] = []
        while not self.stream.done:
            self.stream.advance()
            assert self.stream.queue.account.balanced
            if not recognize_batch(self.recognizer, [self.stream.pipeline]):
                self._advance(BLOCK_S)
            messages += self.stream.pipeline.drain()
        return messages

    def _advance(self, seconds: float) -> None:
        """Lets time pass, in which the microphone goes on."""
        self.now += seconds
        n = round(BLOCK_S * self._rate)
        while (end_s := (self._n_blocks + 1) * BLOCK_S) <= min(self.now, self._seconds):
            samples = np.full((n, 1), 0.1, np.float32)
            self.stream.queue.put(Block(self._n_blocks * n, samples, end_s))
            self._n_blocks += 1
        if self.now >= self._seconds:
            self.stream.queue.close(discard=False)


@settings(max_examples=25, deadline=None)
@given(load=st.floats(0.2, 4.0), hop_s=st.sampled_from([0.25, 0.5, 1.0]))
@example(load=1.05, hop_s=0.5)
@example(load=1.2, hop_s=0.5)
@example(load=4.0, hop_s=1.0)
def test_under_overload_as_much_is_analysed_as_the_speed_allows(load: float, hop_s: float) -> None:
    overload = Overload(load, hop_s, 16_000)
    overload.run()
    account = overload.stream.queue.account
    assert account.captured == account.analysed + account.dropped == SECONDS * 16_000
    assert account.analysed / account.captured == pytest.approx(min(1, 1 / load), abs=0.05)


@settings(max_examples=10, deadline=None)
@given(load=st.floats(1.0, 4.0), hop_s=st.sampled_from([0.25, 0.5, 1.0]))
def test_under_overload_what_sounds_throughout_is_named_throughout(
    load: float, hop_s: float
) -> None:
    messages = Overload(load, hop_s, 16_000).run()
    on, off = [m for m in messages if isinstance(m, Event)]
    assert (on.event, off.event, off.label) == ("on", "off", "piano")
    assert on.time_s == 0.0
    assert off.time_s > SECONDS - 2 * load * hop_s - 1
    told_at = next(m.t1 for m in messages if isinstance(m, Estimate) and m.active)
    assert told_at <= 1 + 2 * max(1, load) * hop_s


def test_under_overload_no_window_is_padded_and_the_newest_sound_is_heard() -> None:
    messages = Overload(3.0, 0.5, 16_000).run()
    estimates = [m for m in messages if isinstance(m, Estimate)]
    assert not any(estimate.partial for estimate in estimates[:-1])
    assert estimates[-1].t1 == SECONDS
    assert max(estimate.latency_ms for estimate in estimates) < 1000 * (3 + 2 * 3) * 0.5


def test_without_overload_no_window_is_skipped() -> None:
    overload = Overload(0.95, 0.5, 16_000)
    messages = overload.run()
    indices = [m.index for m in messages if isinstance(m, Estimate)]
    assert indices == list(range(len(indices)))
    assert overload.stream.queue.account.dropped == 0


def test_a_window_that_takes_longer_than_the_queue_holds_is_a_gap_and_counted() -> None:
    overload = Overload(13.0, 1.0, 16_000)
    overload.run()
    account = overload.stream.queue.account
    assert account.captured == account.analysed + account.dropped == SECONDS * 16_000


@pytest.mark.parametrize("rate_hz", [11_025, 22_050])
def test_a_hop_that_is_no_whole_number_of_frames_leaves_the_account_balanced(rate_hz: int) -> None:
    overload = Overload(2.0, 0.25, rate_hz)
    overload.run()
    account = overload.stream.queue.account
    assert account.balanced
    assert account.analysed / account.captured == pytest.approx(0.5, abs=0.05)
