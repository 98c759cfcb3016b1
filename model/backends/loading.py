"""The network of a checkpoint, in ONNX Runtime or in torch."""

from __future__ import annotations

from pathlib import Path

from threadpoolctl import ThreadpoolController

from mmgat.model.backends.base import InferenceBackend
from mmgat.model.backends.onnx import OnnxBackend, has_graphs
from mmgat.model.card import Card, checked_card
from mmgat.model.errors import ComputeError


def load_backend(
    model: str = "compact", compute: str = "auto", weights: Path | None = None
) -> tuple[Card, InferenceBackend, str]:
    """A model's card, its network, and a line on where it computes.

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
    # The front end's products are small: shared among numpy's threads they take twice as long.
    ThreadpoolController().select(internal_api="openblas").limit(limits=1)
    if compute != "cuda" and card.embedder == "compact" and has_graphs(path):
        return card, OnnxBackend(path, card), "computing on the CPU with ONNX Runtime"
    try:
        from mmgat.model.backends.torch import load_torch_backend
    except ModuleNotFoundError as error:
        raise ComputeError(
            f"expected torch for model {card.name!r} with --compute {compute}, found no {error.name}: "
            "pip install 'mmgat-stream[torch]', or use the compact model on the CPU"
        ) from None
    network, where = load_torch_backend(path, compute, weights)
    return card, network, where
