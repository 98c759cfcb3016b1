"""A model by name or path, ready to recognise: its card, its embedder and its backend."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mmgat.model.backends.base import InferenceBackend, split_device
from mmgat.model.backends.fallback import FallbackBackend
from mmgat.model.backends.onnx import OnnxBackend, OnnxEmbedder, has_cuda_provider, has_graphs
from mmgat.model.card import Card, checked_card
from mmgat.model.embedders.base import EmbedderSpec
from mmgat.model.embedders.registry import spec_of
from mmgat.model.errors import ComputeError
from mmgat.model.threads import most_threads

GPU_FILES: Final = ("/dev/nvidiactl", "/dev/dxg")
"""One of them is there where Linux, or Linux in Windows, has a CUDA device."""


@dataclass(frozen=True)
class LoadedModel:
    """A model that recognises.

    Attributes:
        card: what it is, its thresholds, how good it is.
        embedder: what its embedder hears.
        backend: computes embedder and MMGAT.
        computes: where, in words for a user.
    """

    card: Card
    embedder: EmbedderSpec
    backend: InferenceBackend
    computes: str


def load_model(
    model: str = "compact", compute: str = "auto", weights: Path | None = None
) -> LoadedModel:
    """A model by name or path. Its files are read and hashed once.

    A checkpoint with its ONNX graphs beside it runs in ONNX Runtime on the CPU, and needs no torch if
    it carries its embedder. All else, and a GPU, runs in torch; where there is no torch, such a
    checkpoint runs in ONNX Runtime on a CUDA device. If a GPU fails later, the CPU takes over.

    Args:
        model: ``compact``, ``vggish`` or the path of a checkpoint.
        compute: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        weights: VGGish's published files, where torch.hub's cache has them not.

    Raises:
        ModelError: the checkpoint, the weights, the device or torch are not to be had.
    """
    path, card = checked_card(model)
    embedder = spec_of(card)
    kind, index = split_device(compute)
    alone = embedder.carried and has_graphs(path)
    if alone and kind in ("auto", "cpu"):
        backend: InferenceBackend = OnnxBackend(path, card)
        return LoadedModel(card, embedder, backend, "computing on the CPU with ONNX Runtime")
    if embedder.cpu_graph and has_graphs(path) and (kind == "cpu" or not _may_have_gpu(kind)):
        with contextlib.suppress(ModuleNotFoundError, OSError):  # then torch computes
            graph = embedder.onnx_graph(card.variant, weights)
            backend = OnnxBackend(path, card, OnnxEmbedder(graph, most_threads()))
            where = f"computing on the CPU with ONNX Runtime, {embedder.name} in 8 bits"
            return LoadedModel(card, embedder, backend, where)
    try:
        from mmgat.model.backends.torch import load_torch_backend
    except ModuleNotFoundError as error:
        if not (alone and kind == "cuda" and has_cuda_provider()):
            raise ComputeError(
                f"expected torch for model {card.name!r} with --compute {compute}, found no "
                f"{error.name}: pip install 'mmgat-stream[torch]', or use the compact model on the CPU"
            ) from None
        backend = OnnxBackend(path, card, cuda_index=index)
        where = f"computing on cuda:{index} with ONNX Runtime"
    else:
        backend, where = load_torch_backend(path, card, compute, weights)
    if backend.device != "cpu":
        backend = FallbackBackend(backend, lambda: load_model(model, "cpu", weights).backend)
    return LoadedModel(card, embedder, backend, where)


def _may_have_gpu(kind: str) -> bool:
    """Whether torch, which takes seconds to import, may find a GPU for ``auto``."""
    return kind != "auto" or sys.platform == "darwin" or any(map(os.path.exists, GPU_FILES))
