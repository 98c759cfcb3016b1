"""Graphs on the device, rehearsed on CPU tensors; only CUDA graphs need a GPU."""

import gc
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

import mmgat.model.backends.resident as resident_module
from mmgat.model.backends.base import HearingBackend
from mmgat.model.backends.bucket import Bucket, bucket_of
from mmgat.model.backends.hop_step import HearingStep, HopStep, ResidentFrames, ResidentGraphs
from mmgat.model.backends.places import FIRST_CAPACITY
from mmgat.model.backends.torch import DeviceBackend
from mmgat.model.backends.twin_block import Block
from mmgat.model.card import checked_card
from mmgat.model.embedders.convnet import ConvNetEmbedder
from mmgat.model.embedders.kaldi_mel import KALDI_LOG_MEL
from mmgat.model.embedders.tagger import TaggerEmbedder
from mmgat.model.mmgat import MMGAT, MMGATConfig
from mmgat.model.streaming_model import StreamingModel
from mmgat.stream.audio.windows import WindowAssembler
from mmgat.stream.recognition.graph_buffer import GraphBuffer
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings
from tests.conftest import melody, untrained_mmgat, untrained_model

SHAPE = StreamSettings(hop_s=0.5, nodes=4)
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def resident(device: str = "cpu", hears: bool | None = None) -> Recognizer:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    model = untrained_model()
    mmgat = untrained_mmgat()  # seeds the embedder too
    backend = DeviceBackend(
        ConvNetEmbedder(), mmgat, torch.device(device), model.embedder.front_end, hears
    )
    return Recognizer(replace(model, backend=backend), SHAPE)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("hears", [False, True], ids=["spectrograms sent", "sound sent"])
def test_graphs_on_the_device_give_what_graphs_sent_with_each_hop_give(
    device: str, hears: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streams come and go, phases take turns, and a silent second leaves its graph.

    Three windows are more than the largest bucket has here.
    """
    monkeypatch.setattr(resident_module, "MOST_WINDOWS", 2)
    ours, theirs = resident(device, hears), Recognizer(untrained_model(), SHAPE)
    assert isinstance(ours.model.backend, HearingBackend)
    assert ours.model.backend.hears is hears
    ours.warm_up(3)
    sounds = [
        list(WindowAssembler(8_000, 15_600, 16_000).push(melody(6.0, 16_000, seed=seed)[:, 0]))
        for seed in range(3)
    ]
    states = [[r.new_state() for _ in sounds] for r in (ours, theirs)]
    for turn in range(10):
        n_streams = (1, 3, 2)[turn % 3]
        windows = [sound[turn] for sound in sounds[:n_streams]]
        found, expected = (
            recognizer(list(zip(own[:n_streams], windows, strict=True)))
            for recognizer, own in zip((ours, theirs), states, strict=True)
        )
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a.scores, b.scores, atol=1e-5 if device == "cpu" else 1e-3)
            np.testing.assert_allclose(
                a.evidence, b.evidence, atol=1e-5 if device == "cpu" else 1e-3
            )
        for own in states:
            graph = own[0].graph_of(windows[0])
            if turn in (4, 7):
                graph.drop_newest()
    for a, b in zip(states[0], states[1], strict=True):
        for one, other in zip(a._graphs, b._graphs, strict=True):
            np.testing.assert_allclose(one.edges(), other.edges(), atol=1e-5)


def test_places_are_taken_again_and_more_graphs_than_there_is_room_for_double_it() -> None:
    held = ResidentGraphs(3, 8, torch.device("cpu"))
    graphs = [GraphBuffer(3, 8) for _ in range(FIRST_CAPACITY + 9)]
    for number, graph in enumerate(graphs):
        graph.nodes[:] = number
        held.place_of_graph(graph)
    places = [held.place_of_graph(graph) for graph in graphs]
    assert len(set(places)) == len(graphs)
    assert 0 not in places
    assert (held.capacity, held.grown) == (2 * FIRST_CAPACITY, 1)
    assert [held.tensors["nodes"][place, 0, 0].item() for place in places] == list(
        range(len(graphs))
    )
    del graph, graphs[10:]
    gc.collect()
    for _ in range(5):
        newcomers = [GraphBuffer(3, 8) for _ in range(100)]
        assert len({held.place_of_graph(graph) for graph in newcomers}) == 100
    assert held.grown == 1
    assert [held.tensors["nodes"][held.place_of_graph(g), 0, 0].item() for g in graphs] == list(
        range(10)
    )


def test_all_that_a_hop_sends_lies_in_one_block() -> None:
    block = Block(
        {"a": (torch.float32, (3, 5)), "b": (torch.bool, (3,)), "c": (torch.int64, (2,))},
        torch.device("cpu"),
    )
    block.on_host["a"][:] = torch.arange(15.0).view(3, 5)
    block.on_host["b"][1] = True
    block.on_host["c"][:] = torch.tensor([7, -1])
    block.send()
    assert block.on_device["a"][2, 4] == 14
    assert block.on_device["b"].tolist() == [False, True, False]
    assert block.on_device["c"].tolist() == [7, -1]


def test_buckets_are_powers_of_two() -> None:
    assert [bucket_of(n) for n in (1, 2, 3, 4, 5, 64, 65)] == [1, 2, 4, 4, 8, 64, 128]


def test_only_the_samples_of_new_frames_are_sent_and_behind_a_gap_all() -> None:
    recognizer = resident(hears=True)
    recognizer.warm_up(2)
    backend = recognizer.model.backend
    assert isinstance(backend, DeviceBackend)
    sizes = {
        kind: bucket.inputs["samples"].shape[1]
        for (_, kind, _), (_, bucket) in backend._resident._buckets.items()
    }
    assert sizes == {50: 49 * 160 + 400, 96: 15_600}  # half a second is 50 frames
    reference = Recognizer(untrained_model(), SHAPE)
    assembler = WindowAssembler(8_000, 15_600, 16_000)
    windows = assembler.push(melody(2.5, 16_000)[:, 0])
    assembler.restart(5 * 16_000)
    windows += assembler.push(melody(2.0, 16_000, seed=1)[:, 0])
    states = recognizer.new_state(), reference.new_state()
    for window in windows:
        (found,) = recognizer([(states[0], window)])
        (expected,) = reference([(states[1], window)])
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)


def test_behind_a_fault_all_frames_of_a_window_are_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The device does not have those of the window that failed."""
    recognizer, reference = resident(hears=True), Recognizer(untrained_model(), SHAPE)
    recognizer.warm_up(1)
    windows = WindowAssembler(8_000, 15_600, 16_000).push(melody(3.0, 16_000)[:, 0])
    states = recognizer.new_state(), reference.new_state()
    backend = recognizer.model.backend
    for number, window in enumerate(windows):
        if number == 1:
            with monkeypatch.context() as patched:
                patched.setattr(backend, "advance_heard", lambda windows, graphs: 1 / 0)
                with pytest.raises(ZeroDivisionError):
                    recognizer([(states[0], window)])
            continue
        (found,) = recognizer([(states[0], window)])
        (expected,) = reference([(states[1], window)])
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
        assert found.node_starts == expected.node_starts


def test_the_step_of_a_hop_waits_for_nothing_and_stays_on_its_device() -> None:
    """The default model on tensors without values, which say they are of CUDA.

    There an operation that needs a value, or mixes devices, is an error.
    """
    device, (_, card) = torch.device("cuda"), checked_card("compact")
    config = MMGATConfig.from_dict(card.mmgat)
    with FakeTensorMode():
        with device:
            text = torch.zeros(20, config.text_size) if config.text_size else None
            network = StreamingModel(TaggerEmbedder(), MMGAT(config, text))
            graphs = ResidentGraphs(10, config.input_size, device)
        frames = ResidentFrames(KALDI_LOG_MEL, device)
        steps = [HearingStep(graphs, network, frames, n_new) for n_new in (100, 200)]
        for step in (HopStep(graphs, network, (200, 128)), *steps):
            given = {
                name: torch.zeros(shape, dtype=dtype, device=device)
                for name, (dtype, shape) in step.shapes(8).items()
            }
            outputs = step(given)
            shapes = [(8, config.input_size), (8, 20), (8, 10, 20), (8, 10)]
            assert [tuple(part.shape) for part in outputs] == shapes
            assert {part.device.type for part in outputs} == {"cuda"}
        with pytest.raises(DataDependentOutputException):  # so would a hidden wait be found
            outputs[1].sum().item()


def test_the_faster_place_of_the_front_end_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    front_end = untrained_model().embedder.front_end
    for slow, expected in ((0, True), (50, False)):
        backend = DeviceBackend(ConvNetEmbedder(), untrained_mmgat(), None, front_end)
        monkeypatch.setattr(backend, "_measures", True)  # as of a CUDA device
        monkeypatch.setattr(
            backend._resident, "seconds_of", lambda windows, nodes, new, s=slow: s if new else 1.0
        )
        backend.warm_up(4, 5, 0.5)
        assert backend.hears is expected
        kinds = {kind for _, kind, _ in backend._resident._buckets}
        assert kinds == ({50, 96} if expected else {0})


def test_a_device_that_cannot_compute_spectrograms_gets_those_of_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    front_end = untrained_model().embedder.front_end
    backend = DeviceBackend(ConvNetEmbedder(), untrained_mmgat(), None, front_end)

    def refuse(windows: int, nodes: int, new: int) -> float:
        raise RuntimeError("cuFFT error: CUFFT_INTERNAL_ERROR")

    monkeypatch.setattr(backend, "_measures", True)
    monkeypatch.setattr(backend._resident, "seconds_of", refuse)
    backend.warm_up(1, 5, 0.5)
    assert not backend.hears


def test_a_hop_of_both_ways_is_timed() -> None:
    network = resident(hears=True).model.backend
    assert isinstance(network, DeviceBackend)
    assert network._resident.seconds_of(3, 5, 0) > 0
    assert network._resident.seconds_of(3, 5, 50) > 0


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("hears", [False, True], ids=["spectrograms sent", "sound sent"])
def test_a_hop_is_one_copy_each_way_and_waits_once(hears: bool) -> None:
    from torch.profiler import ProfilerActivity, profile

    recognizer = resident("cuda", hears)
    recognizer.warm_up(4)
    windows = WindowAssembler(8_000, 15_600, 16_000).push(melody(6.0, 16_000)[:, 0])
    states = [recognizer.new_state() for _ in range(4)]
    for window in windows[:6]:  # every graph is on the device
        recognizer([(state, window) for state in states])
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiler:
        recognizer([(state, windows[6]) for state in states])
    copies = [event.name for event in profiler.events() if event.name.startswith("Memcpy")]
    assert sum("HtoD" in name for name in copies) == 1
    assert sum("DtoH" in name for name in copies) == 1
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")  # of hidden waits; waiting for an event is none
    try:
        recognizer([(state, windows[7]) for state in states])
    finally:
        torch.cuda.set_sync_debug_mode(mode)


@pytest.mark.gpu
@needs_cuda
def test_a_cuda_graph_is_captured_once_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    captured = []
    capture = Bucket._captured
    monkeypatch.setattr(Bucket, "_captured", lambda b: (captured.append(b), capture(b))[1])
    recognizer = resident("cuda", hears=False)
    recognizer.warm_up(4)
    assert len(captured) == 3  # of 1, 2 and 4 windows
    windows = WindowAssembler(8_000, 15_600, 16_000).push(melody(6.0, 16_000)[:, 0])
    states = [recognizer.new_state() for _ in range(4)]
    for turn, window in enumerate(windows):
        recognizer([(state, window) for state in states[: 1 + turn % 4]])
    assert len(captured) == 3
