"""Graphs that live on the device: a hop sends the new windows and brings back what they say (ours).

Batches have the size of a bucket, the next power of two. Where the device computes the spectrograms
too, it keeps the frames of every stream's last window, and only samples of new frames are sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import numpy as np
import torch

from mmgat.model.backends.base import Floats, HeardWindow, HeldGraph, Prediction
from mmgat.model.backends.bucket import Bucket, bucket_of
from mmgat.model.backends.hop_step import HearingStep, HopStep, ResidentFrames, ResidentGraphs
from mmgat.model.embedders.base import FrontEnd
from mmgat.model.streaming_model import StreamingModel

MOST_WINDOWS: Final = 1024
"""Windows of the largest bucket; more go in several. Larger ones gain nothing and need much memory."""

MEASURED: Final = 3
"""Runs of which the fastest counts."""


class ResidentNetwork:
    """Keeps graphs on a device and runs the network on them, bucket by bucket.

    Args:
        network: embedder and MMGAT, on the device.
        device: that one.
        front_end: whose windows the embedder reads; needed to compute them on the device.
    """

    def __init__(
        self, network: StreamingModel, device: torch.device, front_end: FrontEnd | None = None
    ) -> None:
        self._network, self._device, self._front_end = network, device, front_end
        self._graphs: dict[int, ResidentGraphs] = {}  # nodes of a graph -> graphs
        self._frames: ResidentFrames | None = None
        self._n_new = front_end.n_frames if front_end else 0
        self._buckets: dict[tuple[int, int, int], tuple[int, Bucket]] = {}
        self._pool: Any = None  # CUDA's memory for what all buckets compute in between

    @torch.inference_mode()
    def advance(self, log_mel: Floats, graphs: Sequence[HeldGraph]) -> Prediction:
        """Computes the next window of each graph; see ``ResidentBackend``."""

        def fill(bucket: Bucket, part: Sequence[int]) -> None:
            bucket.inputs["log_mel"][: len(part)] = log_mel[part]

        with self._here():
            return self._run(graphs, [(0, list(range(len(graphs))))], fill, log_mel.shape[1:])

    @torch.inference_mode()
    def advance_heard(
        self, windows: Sequence[HeardWindow], graphs: Sequence[HeldGraph]
    ) -> Prediction:
        """The same of windows as sound. Where a stream goes on, only its new frames are computed."""
        with self._here():
            held = self._held_frames()
            places = [held.place_of(window.stream) for window in windows]
            n_frames, n_new = held.front_end.n_frames, self._n_new
            kinds: dict[int, list[int]] = {}  # frames to compute -> windows
            for i, (window, (_, first)) in enumerate(zip(windows, places, strict=True)):
                goes_on = not first and window.n_known == n_frames - n_new
                kinds.setdefault(n_new if goes_on else n_frames, []).append(i)

            def fill(bucket: Bucket, part: Sequence[int]) -> None:
                assert isinstance(bucket.step, HearingStep)
                streams = [places[i][0] for i in part]
                bucket.step.fill_sound(bucket.inputs, [windows[i] for i in part], streams)

            return self._run(graphs, list(kinds.items()), fill)

    @torch.inference_mode()
    def warm_up(self, n_graphs: int, n_windows: int, n_nodes: int, n_new: int, hears: bool) -> None:
        """Makes room for graphs, and prepares every bucket up to that of ``n_windows``.

        Args:
            n_graphs, n_windows: that there may be in all, and in one hop.
            n_nodes: of a graph.
            n_new: frames of a window that the one before does not have.
            hears: prepares for windows as sound.
        """
        self._n_new = n_new
        with self._here():
            self._held(n_nodes).make_room(n_graphs)
            if hears:
                self._held_frames().make_room(n_windows)
            assert self._front_end
            window = (self._front_end.n_frames, self._front_end.n_bands)
            kinds = {n_new, self._front_end.n_frames} if hears else {0}
            for key in [k for k in self._buckets if k[1] not in kinds]:
                del self._buckets[key]  # of the way that was measured and not chosen
            for kind in kinds:
                for size in _sizes(n_windows):
                    self._bucket(size, kind, n_nodes, window).run(0)

    @torch.inference_mode()
    def seconds_of(self, n_windows: int, n_nodes: int, n_new: int) -> float:
        """Time of a hop of so many windows: as sound of so many new frames, as spectrograms if 0."""
        assert self._front_end
        window = (self._front_end.n_frames, self._front_end.n_bands)
        with self._here():
            bucket = self._bucket(_sizes(n_windows)[-1], n_new, n_nodes, window)
            given = bucket.inputs["samples" if n_new else "log_mel"]
            one = np.zeros(given.shape[1:], np.float32)

            def hop() -> None:
                for row in given:
                    row[:] = one
                bucket.run(0)

            hops = -(-n_windows // len(given))
            return hops * fastest_s(hop)

    def _run(
        self,
        graphs: Sequence[HeldGraph],
        kinds: list[tuple[int, list[int]]],
        fill: Callable[[Bucket, Sequence[int]], None],
        window: tuple[int, ...] = (),
    ) -> Prediction:
        """Windows of several kinds, in portions of the largest bucket, in the graphs' order again."""
        held = self._held(len(graphs[0].mask))
        places = [held.place_of_graph(graph) for graph in graphs]
        order: list[int] = []
        found: list[Prediction] = []
        for kind, members in kinds:
            for first in range(0, len(members), MOST_WINDOWS):
                part = members[first : first + MOST_WINDOWS]
                bucket = self._bucket(bucket_of(len(part)), kind, held.n_nodes, window)
                fill(bucket, part)
                bucket.step.fill_graphs(
                    bucket.inputs, [graphs[i] for i in part], [places[i] for i in part]
                )
                found.append(bucket.run(len(part)))
                order += part
        if len(found) == 1:
            return found[0]
        back = np.argsort(order)
        return Prediction(*(np.concatenate(parts)[back] for parts in zip(*found, strict=True)))

    @contextmanager
    def _here(self) -> Iterator[None]:
        """Lets a thread's CUDA calls go to this device, with convolutions in whole single precision."""
        with ExitStack() as stack:
            if self._device.type == "cuda":
                stack.enter_context(torch.cuda.device(self._device))
                stack.enter_context(torch.backends.cudnn.flags(enabled=True, allow_tf32=False))
            yield

    def _held(self, n_nodes: int) -> ResidentGraphs:
        if n_nodes not in self._graphs:
            size = self._network.mmgat.config.input_size
            self._graphs[n_nodes] = ResidentGraphs(n_nodes, size, self._device)
        return self._graphs[n_nodes]

    def _held_frames(self) -> ResidentFrames:
        assert self._front_end
        if self._frames is None:
            self._frames = ResidentFrames(self._front_end, self._device)
        return self._frames

    def _bucket(self, size: int, kind: int, n_nodes: int, window: tuple[int, ...]) -> Bucket:
        """The bucket of so many windows, of a kind: frames to compute of each, or 0 for spectrograms.

        One that was captured before its graphs grew has their old addresses, and is made anew.
        """
        held, key = self._held(n_nodes), (size, kind, n_nodes)
        grown = held.grown + (self._held_frames().grown if kind else 0)
        before, bucket = self._buckets.get(key, (-1, None))
        if bucket is None or before != grown:
            self._buckets.pop(key, None)
            if self._device.type == "cuda" and self._pool is None:
                self._pool = torch.cuda.graph_pool_handle()
            step = (
                HearingStep(held, self._network, self._held_frames(), kind)
                if kind
                else HopStep(held, self._network, window)
            )
            bucket = Bucket(size, step, self._device, self._pool)
            self._buckets[key] = grown, bucket
        return bucket


def fastest_s(run: Callable[[], object]) -> float:
    """Seconds of the fastest of some runs."""
    times = []
    for _ in range(MEASURED):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return min(times)


def _sizes(n_windows: int) -> list[int]:
    """Sizes of the buckets that up to so many windows need, smallest first."""
    largest = bucket_of(min(n_windows, MOST_WINDOWS))
    return [1 << power for power in range(largest.bit_length())]
