"""Graphs on the device, rehearsed on CPU tensors; only CUDA graphs need a GPU."""

import gc
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmgat.model.backends.base import ResidentBackend
from mmgat.model.backends.resident import FIRST_CAPACITY, Block, ResidentGraphs, bucket_of
from mmgat.model.backends.torch import DeviceBackend
from mmgat.model.embedders.convnet import ConvNetEmbedder
from mmgat.stream.audio.windows import WindowAssembler
from mmgat.stream.recognition.graph_buffer import GraphBuffer
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings
from tests.conftest import melody, untrained_mmgat, untrained_model

SHAPE = StreamSettings(hop_s=0.5, nodes=4)
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def resident(device: str = "cpu") -> Recognizer:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    model = untrained_model()
    mmgat = untrained_mmgat()  # seeds the embedder too
    backend = DeviceBackend(
        ConvNetEmbedder(), mmgat, torch.device(device), model.embedder.front_end
    )
    return Recognizer(replace(model, backend=backend), SHAPE)


@pytest.mark.parametrize("device", DEVICES)
def test_graphs_on_the_device_give_what_graphs_sent_with_each_hop_give(device: str) -> None:
    """Streams come and go, phases take turns, and a silent second leaves its graph."""
    ours, theirs = resident(device), Recognizer(untrained_model(), SHAPE)
    assert isinstance(ours.model.backend, ResidentBackend)
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
    graphs = [GraphBuffer(3, 8, 1) for _ in range(FIRST_CAPACITY + 9)]
    for number, graph in enumerate(graphs):
        graph.nodes[:] = number
        held.place_of(graph)
    places = [held.place_of(graph) for graph in graphs]
    assert len(set(places)) == len(graphs)
    assert 0 not in places
    assert (held.capacity, held.grown) == (2 * FIRST_CAPACITY, 1)
    assert [held.nodes[place, 0, 0].item() for place in places] == list(range(len(graphs)))
    del graph, graphs[10:]
    gc.collect()
    for _ in range(5):
        newcomers = [GraphBuffer(3, 8, 1) for _ in range(100)]
        assert len({held.place_of(graph) for graph in newcomers}) == 100
    assert held.grown == 1
    assert [held.nodes[held.place_of(g), 0, 0].item() for g in graphs] == list(range(10))


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


@pytest.mark.gpu
@needs_cuda
def test_a_hop_is_one_copy_each_way_and_waits_once() -> None:
    from torch.profiler import ProfilerActivity, profile

    recognizer = resident("cuda")
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
    torch.cuda.set_sync_debug_mode("error")  # of hidden waits
    try:
        recognizer([(state, windows[7]) for state in states])
    finally:
        torch.cuda.set_sync_debug_mode(mode)
