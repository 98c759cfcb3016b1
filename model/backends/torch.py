"""The network in torch: on a GPU, or without exported graphs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mmgat.model.backends.base import (
    Floats,
    Graphs,
    HeardWindow,
    HeldGraph,
    InferenceBackend,
    Prediction,
    WholeGraphs,
)
from mmgat.model.backends.compute import compute_device
from mmgat.model.backends.onnx import OnnxBackend, has_graphs
from mmgat.model.backends.resident import ResidentNetwork, fastest_s
from mmgat.model.card import Card
from mmgat.model.checkpoint import read_checkpoint
from mmgat.model.embedders.base import FrontEnd
from mmgat.model.embedders.registry import spec_of
from mmgat.model.embedders.vggish.network import VGGishEmbedder
from mmgat.model.mmgat import MMGAT
from mmgat.model.streaming_model import StreamingModel, WholeGraphModel

log = logging.getLogger(__name__)

HALF_FROM: Final = (7, 0)
"""CUDA's compute capability from which half precision is faster: cards with tensor cores."""


class TorchBackend:
    """An ``InferenceBackend`` on a torch device, for graphs that are sent with every call.

    Args:
        embedder, mmgat: in evaluation mode, of the same embedding space.
        device: the CPU, if not given.
    """

    def __init__(
        self, embedder: nn.Module, mmgat: MMGAT, device: torch.device | None = None
    ) -> None:
        self._device = device or torch.device("cpu")
        self.device = str(self._device)
        self._network = StreamingModel(embedder, mmgat).to(self._device)
        self._whole = WholeGraphModel(mmgat).to(self._device)

    @torch.inference_mode()
    def __call__(self, log_mel: Floats, graphs: Graphs) -> Prediction:
        """Computes a batch on the device."""
        inputs = [self._sent(part) for part in (log_mel, *graphs)]
        outputs = self._network(*inputs)
        packed = torch.cat([part.flatten(1) for part in outputs], dim=1).cpu().numpy()
        sizes = [part[0].numel() for part in outputs]
        parts = np.split(packed, np.cumsum(sizes)[:-1], axis=1)
        return Prediction(
            *(part.reshape(out.shape) for part, out in zip(parts, outputs, strict=True))
        )

    @torch.inference_mode()
    def embed(self, log_mel: Floats) -> Floats:
        """Computes embeddings on the device."""
        embeddings: Floats = self._network.embedder(self._sent(log_mel)).cpu().numpy()
        return embeddings

    @torch.inference_mode()
    def read(self, graphs: WholeGraphs) -> tuple[Floats, Floats]:
        """Reads whole graphs on the device."""
        scores, bag_scores = self._whole(*map(self._sent, graphs))
        return scores.cpu().numpy(), bag_scores.cpu().numpy()

    def _sent(self, array: npt.NDArray[np.generic]) -> Tensor:
        tensor = torch.from_numpy(array)
        if self._device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self._device, non_blocking=True)


class DeviceBackend(TorchBackend):
    """A ``HearingBackend`` on a torch device: the graphs stay there.

    The device computes the spectrograms too where that is faster: a CUDA device is measured when it is
    prepared, both ways with as many windows as there are streams.

    Args:
        embedder, mmgat, device: as for ``TorchBackend``.
        front_end: whose windows the embedder reads; needed to prepare for them.
        hears: computes the spectrograms there, or does not; by default it is measured.

    Attributes:
        hears: the device computes the spectrograms.
    """

    def __init__(
        self,
        embedder: nn.Module,
        mmgat: MMGAT,
        device: torch.device | None = None,
        front_end: FrontEnd | None = None,
        hears: bool | None = None,
    ) -> None:
        super().__init__(embedder, mmgat, device)
        self._front_end = front_end
        self._resident = ResidentNetwork(self._network, self._device, front_end)
        may_hear = bool(front_end and front_end.in_torch)
        self._measures = hears is None and may_hear and self._device.type == "cuda"
        self.hears = bool(hears) and may_hear

    def advance(self, log_mel: Floats, graphs: Sequence[HeldGraph]) -> Prediction:
        """Computes the next window of each graph, which the device keeps."""
        return self._resident.advance(log_mel, graphs)

    def advance_heard(
        self, windows: Sequence[HeardWindow], graphs: Sequence[HeldGraph]
    ) -> Prediction:
        """Computes the next window of each graph from its sound."""
        return self._resident.advance_heard(windows, graphs)

    def warm_up(self, n_streams: int, n_nodes: int, hop_s: float) -> None:
        """Makes room, chooses where spectrograms are computed, captures a CUDA graph a bucket."""
        front_end = self._front_end
        if front_end is None:
            return
        n_new = front_end.new_frames(hop_s)
        if self._measures:
            self.hears = self._gains_by_hearing(front_end, n_streams, n_nodes, n_new)
        n_graphs = n_streams * max(1, round(1 / hop_s))
        self._resident.warm_up(n_graphs, n_streams, n_nodes, n_new, self.hears)

    def _gains_by_hearing(
        self, front_end: FrontEnd, n_streams: int, n_nodes: int, n_new: int
    ) -> bool:
        """Whether a hop is faster with spectrograms on the device; a device that cannot is left."""
        sound = np.zeros(front_end.samples_of(n_new), np.float32)
        try:
            self._resident.seconds_of(n_streams, n_nodes, front_end.n_frames)  # memory suffices
            there = self._resident.seconds_of(n_streams, n_nodes, n_new)
        except (
            Exception
        ) as error:  # a driver's faults share no base; the network may still run there
            log.info("spectrograms are computed on the CPU: %s", error)
            return False
        here = n_streams * fastest_s(lambda: front_end.compute(sound))
        here += self._resident.seconds_of(n_streams, n_nodes, 0)
        log.info(
            "a hop of %d streams: %.1f ms with spectrograms on %s, %.1f ms with those of the CPU",
            n_streams, 1000 * there, self.device, 1000 * here,
        )  # fmt: skip
        return there < here


class TorchEmbedder:
    """An embedder on the CPU that takes and gives arrays."""

    def __init__(self, embedder: nn.Module) -> None:
        self._embedder = embedder

    @torch.inference_mode()
    def __call__(self, log_mel: Floats) -> Floats:
        """Log-mel float32 [B, frames, bands] -> embeddings float32 [B, D]."""
        embeddings: Floats = self._embedder(torch.from_numpy(log_mel)).numpy()
        return embeddings


def load_torch_backend(
    path: Path, card: Card, compute: str = "auto", weights: Path | None = None
) -> tuple[InferenceBackend, str]:
    """The backend of a checkpoint, and a line on where it computes.

    On the CPU MMGAT runs in ONNX Runtime if its graphs stand beside a checkpoint without embedder.

    Args:
        path, card: the safetensors file and its card, found whole.
        compute: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        weights: VGGish's published files, where torch.hub's cache has them not.

    Raises:
        ModelError: the checkpoint, the weights or the device are not to be had.
    """
    device, where = compute_device(compute)
    checkpoint = read_checkpoint(path, card)
    embedder = checkpoint.embedder(weights)
    if isinstance(embedder, VGGishEmbedder) and _gains_by_half(device):
        embedder.in_half()
    if device.type != "cpu":
        front_end = spec_of(card).front_end
        return DeviceBackend(embedder, checkpoint.mmgat, device, front_end), where
    if has_graphs(path) and not checkpoint.embedder_state:
        network = OnnxBackend(path, checkpoint.card, TorchEmbedder(embedder))
        return network, f"{where}, MMGAT with ONNX Runtime"
    return TorchBackend(embedder, checkpoint.mmgat, device), where


def _gains_by_half(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= HALF_FROM
