"""The network in torch: on a GPU, or without exported graphs; and VGGish before such graphs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mmgat.model.backends.base import Floats, Graphs, InferenceBackend, Prediction
from mmgat.model.backends.compute import compute_device
from mmgat.model.backends.onnx import OnnxBackend, has_graphs
from mmgat.model.checkpoint import load_checkpoint
from mmgat.model.embedders.compact import CompactEmbedder
from mmgat.model.embedders.registry import embedder_of
from mmgat.model.mmgat import MMGAT
from mmgat.model.streaming_model import StreamingModel


class TorchBackend:
    """An ``InferenceBackend`` on a torch device.

    A call sends its arrays to the device, from pinned memory where that is a GPU, and waits once,
    for what comes back.

    Args:
        embedder, mmgat: in evaluation mode, rows in the same space.
        device: the CPU, if not given.
    """

    def __init__(
        self, embedder: nn.Module, mmgat: MMGAT, device: torch.device | None = None
    ) -> None:
        self._device = device or torch.device("cpu")
        self.device = self._device.type
        self._network = StreamingModel(embedder, mmgat).to(self._device)

    @torch.inference_mode()
    def __call__(self, log_mel: Floats, graphs: Graphs) -> Prediction:
        rows, scores, evidence = self._network(*(self._sent(part) for part in (log_mel, *graphs)))
        packed = torch.cat([rows, scores, evidence.flatten(1)], dim=1).cpu().numpy()
        rows, scores, flat = np.split(packed, np.cumsum([rows.shape[1], scores.shape[1]]), axis=1)
        return Prediction(rows, scores, flat.reshape(evidence.shape))

    def _sent(self, array: npt.NDArray[np.generic]) -> Tensor:
        tensor = torch.from_numpy(array)
        if self._device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self._device, non_blocking=True)


class TorchEmbedder:
    """An embedder on the CPU that takes and gives arrays."""

    def __init__(self, embedder: nn.Module) -> None:
        self._embedder = embedder

    @torch.inference_mode()
    def __call__(self, log_mel: Floats) -> Floats:
        rows: Floats = self._embedder(torch.from_numpy(log_mel)).numpy()
        return rows


def load_torch_backend(
    path: Path, compute: str = "auto", weights: Path | None = None
) -> tuple[InferenceBackend, str]:
    """The network of a checkpoint, and a line on where it computes.

    On the CPU MMGAT runs in ONNX Runtime if its graphs stand beside a checkpoint without embedder.

    Args:
        path: of the safetensors file.
        compute: ``auto``, ``cpu`` or ``cuda``.
        weights: VGGish's published files, where torch.hub's cache has them not.

    Raises:
        ModelError: the checkpoint, the weights or the device are not to be had.
    """
    device, where = compute_device(compute)
    checkpoint = load_checkpoint(path)
    embedder = embedder_of(checkpoint, weights)
    if device.type == "cpu":
        # Small networks only lose by sharing their work; VGGish gains, but is not alone here.
        small = checkpoint.card.embedder == CompactEmbedder.name
        torch.set_num_threads(1 if small else min(4, os.cpu_count() or 1))
    assert isinstance(embedder, nn.Module)
    if device.type == "cpu" and has_graphs(path) and not checkpoint.embedder_state:
        network = OnnxBackend(path, checkpoint.card, TorchEmbedder(embedder))
        return network, f"{where}, MMGAT with ONNX Runtime"
    return TorchBackend(embedder, checkpoint.mmgat, device), where
