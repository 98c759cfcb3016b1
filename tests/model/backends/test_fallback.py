"""A device that fails in the middle of a stream."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mmgat.model.backends.base import (
    Floats,
    Graphs,
    HeardWindow,
    HeldGraph,
    Prediction,
    WholeGraphs,
)
from mmgat.model.backends.fallback import FallbackBackend
from mmgat.model.backends.torch import DeviceBackend
from mmgat.model.embedders.convnet import ConvNetEmbedder
from mmgat.stream.audio.file import FileSource
from mmgat.stream.audio.inputs import Input
from mmgat.stream.audio.source import Block
from mmgat.stream.bus.protocol import Estimate, Message
from mmgat.stream.engine.engine import Engine
from mmgat.stream.recognition.pipeline import Pipeline
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings
from tests.conftest import (
    log_mel_of,
    melody,
    random_graphs,
    untrained_mmgat,
    untrained_model,
)

SHAPE = StreamSettings(hop_s=0.5, nodes=5)
FAULTS = {
    "memory": torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore"),
    "lost": RuntimeError("CUDA error: device-side fault: unspecified launch failure\nmore"),
}


class Failing(DeviceBackend):
    """Computes on the CPU as a device would, and fails from some call on."""

    def __init__(self, fault: Exception, good_calls: int, hears: bool = False) -> None:
        front_end = untrained_model().embedder.front_end
        mmgat = untrained_mmgat()  # seeds the embedder too
        super().__init__(ConvNetEmbedder(), mmgat, None, front_end, hears)
        self.device = "cuda:0"
        self._fault, self._left = fault, good_calls

    def advance(self, log_mel: Floats, graphs: Sequence[HeldGraph]) -> Prediction:
        self._count()
        return super().advance(log_mel, graphs)

    def advance_heard(
        self, windows: Sequence[HeardWindow], graphs: Sequence[HeldGraph]
    ) -> Prediction:
        self._count()
        return super().advance_heard(windows, graphs)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise self._fault


def estimates(recognizer: Recognizer) -> list[Estimate]:
    pipeline = Pipeline(recognizer, "mic", 16_000, SHAPE)
    found: list[Message] = [*pipeline.process(Block(0, melody(6.0, 16_000), 0.0))]
    return [message for message in found if isinstance(message, Estimate)]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("memory", "cuda:0 ran out of memory, the CPU took over (CUDA out of memory. Tried"),
        ("lost", "cuda:0 failed, the CPU took over (CUDA error: device-side fault"),
    ],
)
@pytest.mark.parametrize("hears", [False, True], ids=["spectrograms sent", "sound sent"])
def test_the_cpu_takes_over_and_no_window_is_lost(fault: str, words: str, hears: bool) -> None:
    loaded = []

    def on_cpu() -> object:
        loaded.append(untrained_model().backend)
        return loaded[-1]

    backend = FallbackBackend(Failing(FAULTS[fault], 4, hears), on_cpu)  # type: ignore[arg-type]
    recognizer = Recognizer(replace(untrained_model(), backend=backend), SHAPE)
    assert (backend.device, recognizer.warning) == ("cuda:0", "")
    found = estimates(recognizer)
    expected = estimates(Recognizer(untrained_model(), SHAPE))
    assert len(found) == len(expected) == 12
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            list(ours.scores.values()), list(theirs.scores.values()), atol=2e-6
        )
        assert ours.evidence_t0 == theirs.evidence_t0
    assert (backend.device, len(loaded)) == ("cpu", 1)
    assert recognizer.warning.startswith(words)
    assert "more" not in recognizer.warning


def test_the_status_of_every_stream_says_what_has_failed(wav: Callable[..., Path]) -> None:
    backend = FallbackBackend(Failing(FAULTS["lost"], 2), lambda: untrained_model().backend)
    recognizer = Recognizer(replace(untrained_model(), backend=backend), SHAPE)
    source = FileSource(wav(melody(4.0, 16_000), 16_000))
    source.probe()
    messages: list[Message] = []
    engine = Engine([Input(source)], recognizer, [messages.append], SHAPE)
    engine.start()
    assert engine.wait(60)
    assert engine.error is None
    assert sum(isinstance(message, Estimate) for message in messages) == 8
    (status,) = engine.statuses()
    assert (status.state, status.dropped) == ("ended", 0)
    assert status.message.startswith("cuda:0 failed, the CPU took over")


def test_the_cpu_takes_over_what_is_read_ahead() -> None:
    class Blind(Failing):
        def embed(self, log_mel: Floats) -> Floats:
            raise self._fault

    on_cpu = untrained_model().backend
    backend = FallbackBackend(Blind(FAULTS["lost"], 0), lambda: on_cpu)
    log_mel = log_mel_of(3)
    np.testing.assert_array_equal(backend.embed(log_mel), on_cpu.embed(log_mel))
    assert backend.device == "cpu"
    whole = WholeGraphs(*random_graphs(2, 5)[:4])
    for found, expected in zip(backend.read(whole), on_cpu.read(whole), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_fault_of_the_cpu_is_not_hidden() -> None:
    def broken(log_mel: Floats, graphs: Graphs) -> Prediction:
        raise ValueError("broken")

    backend = FallbackBackend(Failing(FAULTS["lost"], 0), lambda: broken)  # type: ignore[arg-type, return-value]
    with pytest.raises(ValueError, match="broken"):
        estimates(Recognizer(replace(untrained_model(), backend=backend), SHAPE))


def test_a_device_that_fails_while_it_is_prepared_is_left_at_once() -> None:
    class Unready(Failing):
        def warm_up(self, n_streams: int, n_nodes: int, hop_s: float) -> None:
            raise self._fault

    backend = FallbackBackend(Unready(FAULTS["memory"], 9), lambda: untrained_model().backend)
    recognizer = Recognizer(replace(untrained_model(), backend=backend), SHAPE)
    recognizer.warm_up(2)
    assert backend.device == "cpu"
    assert "use fewer streams or --nodes" in recognizer.warning
