"""What a hop computes on a device: windows join the graphs that are there (ours).

All shapes are those of the inputs, and nothing waits for the device: a CUDA graph can be captured.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmgat.model.backends.base import HeardWindow, HeldGraph
from mmgat.model.backends.places import Places
from mmgat.model.embedders.base import FrontEnd
from mmgat.model.streaming_model import StreamingModel

Shapes = dict[str, tuple[torch.dtype, tuple[int, ...]]]
Inputs = dict[str, npt.NDArray[np.generic]]


class ResidentGraphs(Places):
    """Nodes, seconds and similarities of all streams and phases, in one set of tensors.

    Args:
        n_nodes, size: N nodes of D entries in a graph.
        device: where they are.
    """

    def __init__(self, n_nodes: int, size: int, device: torch.device) -> None:
        self.n_nodes = n_nodes
        shapes: Shapes = {
            "nodes": (torch.float32, (n_nodes, size)),
            "steps": (torch.int64, (n_nodes,)),
            "similarity": (torch.float32, (n_nodes, n_nodes)),
        }
        super().__init__(shapes, device)

    def place_of_graph(self, graph: HeldGraph) -> int:
        """The place of a stream's graph; a graph that is new here is copied to the device."""
        place, new = self.place_of(graph)
        if new:
            for name, tensor in self.tensors.items():
                tensor[place] = torch.from_numpy(getattr(graph, name)).to(self._device)
        return place


class ResidentFrames(Places):
    """The spectrogram frames of every stream's last window.

    Args:
        front_end: that has a module in torch.
        device: where they are.
    """

    def __init__(self, front_end: FrontEnd, device: torch.device) -> None:
        self.front_end, self.compute = front_end, front_end.torch_module().to(device)
        row = (front_end.n_frames, front_end.n_bands)
        super().__init__({"frames": (torch.float32, row)}, device)


class HopStep:
    """The step of windows that come as spectrograms.

    Args:
        graphs: that the windows join.
        network: embedder and MMGAT.
        window: shape of a window's log-mel.
    """

    def __init__(
        self, graphs: ResidentGraphs, network: StreamingModel, window: tuple[int, ...] = ()
    ) -> None:
        self._graphs, self._network, self._window = graphs, network, window

    def shapes(self, n_windows: int) -> Shapes:
        """Name -> dtype and shape of all that is sent for so many windows."""
        return {
            "log_mel": (torch.float32, (n_windows, *self._window)),
            **self._of_graphs(n_windows),
        }

    def _of_graphs(self, n_windows: int) -> Shapes:
        places: Shapes = dict.fromkeys(("place", "slot", "step"), (torch.int64, (n_windows,)))
        return places | {"mask": (torch.bool, (n_windows, self._graphs.n_nodes))}

    def fill_graphs(self, given: Inputs, graphs: Sequence[HeldGraph], places: list[int]) -> None:
        """Writes which graphs the windows join, and where in them."""
        n_windows = len(graphs)
        slots = np.array([graph.newest for graph in graphs]).argmax(axis=1)
        steps = np.array([graph.steps for graph in graphs])
        given["place"][:n_windows] = places
        given["mask"][:n_windows] = np.array([graph.mask for graph in graphs])
        given["slot"][:n_windows] = slots
        given["step"][:n_windows] = steps[np.arange(n_windows), slots]

    def log_mel(self, given: dict[str, Tensor]) -> Tensor:
        """The windows' spectrograms, float32 [B, n_frames, n_bands]."""
        return given["log_mel"]

    def __call__(self, given: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Reads the graphs of the windows, recognises, and stores the new nodes and edges."""
        held = self._graphs.tensors
        nodes, steps, similarity = held["nodes"], held["steps"], held["similarity"]
        place, slot = given["place"], given["slot"]
        newest = torch.arange(nodes.shape[1], device=slot.device) == slot.unsqueeze(1)
        steps[place, slot] = given["step"]
        embeddings, scores, evidence, row = self._network(
            self.log_mel(given),
            nodes[place],
            given["mask"],
            steps[place],
            newest,
            similarity[place],
        )
        nodes[place, slot] = embeddings
        similarity[place, slot] = row
        similarity[place, :, slot] = row
        return embeddings, scores, evidence, row


class HearingStep(HopStep):
    """The step of windows that come as sound: their frames are computed and kept on the device.

    Args:
        graphs, network: as for ``HopStep``.
        frames: of the streams' last windows.
        n_new: so many last frames of a window are computed; the ones before are known.
    """

    def __init__(
        self, graphs: ResidentGraphs, network: StreamingModel, frames: ResidentFrames, n_new: int
    ) -> None:
        super().__init__(graphs, network)
        self._frames, self._n_new = frames, n_new
        self._n_samples = frames.front_end.samples_of(n_new)

    def shapes(self, n_windows: int) -> Shapes:
        """Name -> dtype and shape of all that is sent for so many windows."""
        sound: Shapes = {
            "samples": (torch.float32, (n_windows, self._n_samples)),
            "stream": (torch.int64, (n_windows,)),
        }
        return sound | self._of_graphs(n_windows)

    def fill_sound(
        self, given: Inputs, heard: Sequence[HeardWindow], streams: Sequence[int]
    ) -> None:
        """Writes the windows' samples and whose they are."""
        n_windows = len(heard)
        for row, window in zip(given["samples"], heard, strict=False):
            row[:] = window.samples[-self._n_samples :]
        given["stream"][:n_windows] = streams

    def log_mel(self, given: dict[str, Tensor]) -> Tensor:
        """The windows' spectrograms, float32 [B, n_frames, n_bands]; they are kept."""
        known, stream = self._frames.tensors["frames"], given["stream"]
        frames: Tensor = self._frames.compute(given["samples"])
        if self._n_new < known.shape[1]:
            frames = torch.cat([known[stream, self._n_new :], frames], dim=1)
        known[stream] = frames
        return frames
