"""A model by name or path, ready to recognise: its card, its embedder and its backend."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmgat.model.backends.base import InferenceBackend
from mmgat.model.backends.onnx import OnnxBackend, has_graphs
from mmgat.model.card import Card, checked_card
from mmgat.model.embedders.base import EmbedderSpec
from mmgat.model.embedders.registry import spec_of
from mmgat.model.errors import ComputeError


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
    it carries its embedder. All else, and ``cuda``, runs in torch.

    Args:
        model: ``compact``, ``vggish`` or the path of a checkpoint.
        compute: ``auto``, ``cpu`` or ``cuda``.
        weights: VGGish's published files, where torch.hub's cache has them not.

    Raises:
        ModelError: the checkpoint, the weights, the device or torch are not to be had.
    """
    path, card = checked_card(model)
    embedder = spec_of(card)
    if compute != "cuda" and embedder.carried and has_graphs(path):
        backend = OnnxBackend(path, card)
        return LoadedModel(card, embedder, backend, "computing on the CPU with ONNX Runtime")
    try:
        from mmgat.model.backends.torch import load_torch_backend
    except ModuleNotFoundError as error:
        raise ComputeError(
            f"expected torch for model {card.name!r} with --compute {compute}, found no {error.name}: "
            "pip install 'mmgat-stream[torch]', or use the compact model on the CPU"
        ) from None
    return LoadedModel(card, embedder, *load_torch_backend(path, card, compute, weights))
