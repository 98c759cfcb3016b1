"""Graphs that live on the device: a hop sends the new windows and brings back what they say (ours).

All that a hop sends lies in one block of pinned memory, all that comes back in another: one copy
each way. Shapes are those of a bucket, the next power of two, so a CUDA graph is captured once a
bucket. All but that capture is the same on the CPU, where the tests run it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final
from weakref import WeakKeyDictionary, finalize

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmgat.model.backends.base import Floats, HeldGraph, Prediction
from mmgat.model.backends.twin_block import Block
from mmgat.model.streaming_model import StreamingModel

FIRST_CAPACITY: Final = 64
"""Graphs that there is room for at first; more double it."""

SPARE: Final = 0
"""The place of no stream's graph: unused windows of a bucket go there."""

WARM_UPS: Final = 3
"""Runs before a CUDA graph is captured, as torch's documentation asks for."""


def bucket_of(n_windows: int) -> int:
    """The next power of two."""
    return 1 << (n_windows - 1).bit_length()


class ResidentGraphs:
    """Nodes, seconds and similarities of all streams and phases, in one set of tensors.

    Args:
        n_nodes, size: N nodes of D entries in a graph.
        device: where they are.

    Attributes:
        nodes: float32 [C, N, D].
        steps: int64 [C, N].
        similarity: float32 [C, N, N].
        grown: how often room was made.
    """

    def __init__(self, n_nodes: int, size: int, device: torch.device) -> None:
        self.n_nodes, self._size, self._device = n_nodes, size, device
        self.grown = 0
        self._free: list[int] = []
        self._places: WeakKeyDictionary[HeldGraph, int] = WeakKeyDictionary()
        self._make(FIRST_CAPACITY)

    @property
    def capacity(self) -> int:
        """Graphs there is room for, the spare one among them."""
        return len(self.steps)

    def make_room(self, n_graphs: int) -> None:
        """Makes room for so many graphs, by doubling."""
        while self.capacity - 1 < n_graphs:
            self._grow()

    def place_of(self, graph: HeldGraph) -> int:
        """The place of a stream's graph; a graph that is new here is copied to the device.

        Its place is free again when the stream has gone.
        """
        place = self._places.get(graph)
        if place is None:
            if not self._free:
                self._grow()
            place = self._places[graph] = self._free.pop()
            finalize(graph, self._free.append, place)
            self.nodes[place] = torch.from_numpy(graph.nodes).to(self._device)
            self.steps[place] = torch.from_numpy(graph.steps).to(self._device)
            self.similarity[place] = torch.from_numpy(graph.similarity).to(self._device)
        return place

    def _make(self, capacity: int) -> None:
        n, device = self.n_nodes, self._device
        self.nodes = torch.zeros(capacity, n, self._size, device=device)
        self.steps = torch.zeros(capacity, n, dtype=torch.int64, device=device)
        self.similarity = torch.zeros(capacity, n, n, device=device)
        self._free.extend(range(capacity - 1, SPARE, -1))

    def _grow(self) -> None:
        before = self.nodes, self.steps, self.similarity
        old = self.capacity
        in_use = set(self._free)
        self._free.clear()
        self._make(2 * old)
        self._free[:] = [place for place in self._free if place >= old or place in in_use]
        for new, kept in zip((self.nodes, self.steps, self.similarity), before, strict=True):
            new[:old] = kept
        self.grown += 1


class Bucket:
    """The step of one bucket: its two blocks, and a CUDA graph of it where there is CUDA.

    Args:
        n_windows: B.
        window: shape of one window's log-mel.
        graphs: that the windows join.
        network: embedder and MMGAT.
    """

    def __init__(
        self,
        n_windows: int,
        window: tuple[int, ...],
        graphs: ResidentGraphs,
        network: StreamingModel,
    ) -> None:
        self._graphs, self._network = graphs, network
        n, device = graphs.n_nodes, graphs.nodes.device
        self._inbound = Block(
            {
                "log_mel": (torch.float32, (n_windows, *window)),
                "place": (torch.int64, (n_windows,)),
                "slot": (torch.int64, (n_windows,)),
                "step": (torch.int64, (n_windows,)),
                "mask": (torch.bool, (n_windows, n)),
            },
            device,
        )
        self.inputs: dict[str, npt.NDArray[np.generic]] = {
            name: tensor.numpy() for name, tensor in self._inbound.on_host.items()
        }
        self.clear(0)
        outputs = self._step()
        self._outbound = Block(
            {
                name: (torch.float32, tuple(part.shape))
                for name, part in zip(Prediction._fields, outputs, strict=True)
            },
            device,
        )
        self._replay = self._captured() if device.type == "cuda" else self._compute

    def clear(self, n_used: int) -> None:
        """Lets all windows behind the first ``n_used`` be of the spare graph."""
        for name in ("place", "slot", "step"):
            self.inputs[name][n_used:] = SPARE
        self.inputs["mask"][n_used:] = True

    def run(self, n_used: int) -> Prediction:
        """Sends, computes, fetches, and waits once; returns copies of what came back."""
        self._inbound.send()
        self._replay()
        self._outbound.fetch()
        if self._inbound.device.is_cuda:
            torch.cuda.current_stream(self._inbound.device.device).synchronize()
        elif self._inbound.device.device.type == "mps":
            torch.mps.synchronize()
        return Prediction(
            *(self._outbound.on_host[name][:n_used].numpy().copy() for name in Prediction._fields)
        )

    def _compute(self) -> None:
        for name, part in zip(Prediction._fields, self._step(), strict=True):
            self._outbound.on_device[name].copy_(part)

    def _step(self) -> tuple[Tensor, ...]:
        """Reads the graphs of the windows, recognises, and stores the new nodes and edges."""
        given, graphs = self._inbound.on_device, self._graphs
        place, slot = given["place"], given["slot"]
        newest = torch.arange(graphs.n_nodes, device=slot.device) == slot.unsqueeze(1)
        graphs.steps[place, slot] = given["step"]
        embeddings, scores, evidence, row = self._network(
            given["log_mel"],
            graphs.nodes[place],
            given["mask"],
            graphs.steps[place],
            newest,
            graphs.similarity[place],
        )
        graphs.nodes[place, slot] = embeddings
        graphs.similarity[place, slot] = row
        graphs.similarity[place, :, slot] = row
        return embeddings, scores, evidence, row

    def _captured(self) -> Callable[[], None]:
        """A CUDA graph of ``_compute``, after runs that let libraries choose their kernels."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                self._compute()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._compute()
        replay: Callable[[], None] = graph.replay
        return replay


class ResidentNetwork:
    """Keeps graphs on a device and runs the network on them, bucket by bucket.

    Args:
        network: embedder and MMGAT, on the device.
        device: that one.
    """

    def __init__(self, network: StreamingModel, device: torch.device) -> None:
        self._network, self._device = network, device
        self._graphs: dict[int, ResidentGraphs] = {}  # nodes of a graph -> graphs
        self._buckets: dict[tuple[int, ...], Bucket] = {}

    def _here(self) -> AbstractContextManager[object]:
        """Lets a thread's CUDA calls go to this device."""
        if self._device.type == "cuda":
            return torch.cuda.device(self._device)
        return nullcontext()

    @torch.inference_mode()
    def advance(self, log_mel: Floats, graphs: Sequence[HeldGraph]) -> Prediction:
        """Computes the next window of each graph; see ``ResidentBackend``."""
        with self._here():
            return self._advance(log_mel, graphs)

    def _advance(self, log_mel: Floats, graphs: Sequence[HeldGraph]) -> Prediction:
        n_windows = len(graphs)
        held = self._held(len(graphs[0].mask))
        places = [held.place_of(graph) for graph in graphs]
        bucket = self._bucket(bucket_of(n_windows), log_mel.shape[1:], held)
        given = bucket.inputs
        given["log_mel"][:n_windows] = log_mel
        given["place"][:n_windows] = places
        masks = np.array([graph.mask for graph in graphs])
        slots = np.array([graph.newest for graph in graphs]).argmax(axis=1)
        steps = np.array([graph.steps for graph in graphs])
        given["mask"][:n_windows] = masks
        given["slot"][:n_windows] = slots
        given["step"][:n_windows] = steps[np.arange(n_windows), slots]
        bucket.clear(n_windows)
        return bucket.run(n_windows)

    @torch.inference_mode()
    def warm_up(self, n_graphs: int, n_windows: int, n_nodes: int, window: tuple[int, ...]) -> None:
        """Makes room for graphs, and prepares every bucket up to that of ``n_windows``."""
        with self._here():
            held = self._held(n_nodes)
            held.make_room(n_graphs)
            size = 1
            while size <= bucket_of(n_windows):
                self._bucket(size, window, held).run(0)
                size *= 2

    def _held(self, n_nodes: int) -> ResidentGraphs:
        if n_nodes not in self._graphs:
            size = self._network.mmgat.config.input_size
            self._graphs[n_nodes] = ResidentGraphs(n_nodes, size, self._device)
        return self._graphs[n_nodes]

    def _bucket(self, size: int, window: tuple[int, ...], held: ResidentGraphs) -> Bucket:
        """The bucket; one that was captured before its graphs grew has their old addresses."""
        key = (size, *window, held.n_nodes, held.grown)
        if key not in self._buckets:
            for other in [k for k in self._buckets if k[-2] == held.n_nodes and k[-1] != key[-1]]:
                del self._buckets[other]
            self._buckets[key] = Bucket(size, window, held, self._network)
        return self._buckets[key]
