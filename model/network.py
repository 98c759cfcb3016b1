"""What recognises: the learned networks as one function on arrays, and the ways to compute it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from model.card import Card, checked_card
from model.errors import ComputeError

Floats = npt.NDArray[np.float32]


class Graphs(NamedTuple):
    """B graphs of N nodes, each of which a window is joining.

    Attributes:
        nodes: float32 [B, N, 128], rows; that of the new window is not there yet.
        mask: bool [B, N], which nodes there are, the new one among them.
        steps: int64 [B, N], their seconds.
        newest: bool [B, N], the place of the new one.
    """

    nodes: Floats
    mask: npt.NDArray[np.bool_]
    steps: npt.NDArray[np.int64]
    newest: npt.NDArray[np.bool_]


class Answer(NamedTuple):
    """What is said of B windows and the graphs of N nodes they joined.

    Attributes:
        rows: float32 [B, 128], the windows' embeddings.
        scores: float32 [B, 20] in [0, 1], the newest node in the light of its graph.
        evidence: float32 [B, N, 20], of every node; sums to the score of the whole graph.
    """

    rows: Floats
    scores: Floats
    evidence: Floats


class Network(Protocol):
    """Embedder and MMGAT together, as ``model.live_network.LiveNetwork`` describes them.

    Attributes:
        device: where it computes, such as "cpu" or "cuda".
    """

    device: str

    def __call__(self, log_mel: Floats, graphs: Graphs) -> Answer:
        """Reads the windows' examples, float32 [B, 96, 64], and the graphs they join."""
        ...


def load_network(
    model: str = "compact", compute: str = "auto", weights: Path | None = None
) -> tuple[Card, Network, str]:
    """A model's card, its network, and a line on where it computes.

    A checkpoint with an ONNX graph beside it runs in ONNX Runtime, on the CPU, and needs no torch.
    All else, and ``cuda``, runs in torch.

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
    onnx = path.with_suffix(".onnx")
    if compute != "cuda" and onnx.is_file():
        from model.onnx_network import OnnxNetwork

        return card, OnnxNetwork(onnx, card), "computing on the CPU with ONNX Runtime"
    try:
        from model.torch_network import load_torch_network
    except ModuleNotFoundError as error:
        raise ComputeError(
            f"expected torch for model {card.name!r} with --compute {compute}, found no {error.name}: "
            "pip install 'mmgat-stream[torch]', or use the compact model on the CPU"
        ) from None
    network, where = load_torch_network(path, compute, weights)
    return card, network, where
