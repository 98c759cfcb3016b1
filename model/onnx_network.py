"""The network in ONNX Runtime: small, quick to start, and no torch (ours).

``mmgat-train export`` writes two graphs beside the checkpoint, which say the same: one is quicker for
few nodes, the other for many. That of a checkpoint with its embedder computes in 8 bits. Where the
checkpoint does not carry it, the graph is that of MMGAT alone, begins with the windows' rows, and
refers to the weights in the safetensors file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from model.card import Card
from model.errors import CheckpointError
from model.network import Answer, Floats, Graphs

FEWEST_NODES: Final = 5
"""The graph was exported for at least so many; fewer are padded."""

SHORT: Final = 16
"""Up to so many nodes all pairs at once are quicker than lists of neighbours."""

WEIGHTS_KEY: Final = "weights_sha256"
"""Entry of the graph's metadata: whose weights it refers to."""


def graph_path(weights: Path, n_nodes: int) -> Path:
    """The ONNX graph beside a safetensors file that is quicker for so many nodes."""
    return weights.with_suffix(".onnx" if n_nodes <= SHORT else ".long.onnx")


class OnnxNetwork:
    """A ``Network`` on one thread of the CPU.

    Args:
        path: of the ONNX graph, see ``graph_path``.
        card: of that checkpoint.
        embedder: log-mel [B, 96, 64] -> rows [B, 128], where the checkpoint does not carry it.

    Raises:
        CheckpointError: the graph is damaged or belongs to other weights.
    """

    device = "cpu"

    def __init__(
        self, path: Path, card: Card, embedder: Callable[[Floats], Floats] | None = None
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own exceptions share no other base
            raise CheckpointError(
                f"expected the ONNX graph of {card.name!r} in {path}, found {error}: "
                "fetch it again, or delete it to run in torch"
            ) from None
        self._embedder = embedder
        self._first_input = self._session.get_inputs()[0].name
        belongs_to = self._session.get_modelmeta().custom_metadata_map.get(WEIGHTS_KEY, "none")
        if belongs_to != card.sha256:
            raise CheckpointError(
                f"{path} is the graph of other weights: expected sha256 {card.sha256[:12]}…, "
                f"found {belongs_to[:12]}…: run mmgat-train export, or delete it to run in torch"
            )

    def __call__(self, log_mel: Floats, graphs: Graphs) -> Answer:
        n_nodes = graphs.nodes.shape[1]
        arrays = graphs._asdict()
        if n_nodes < FEWEST_NODES:
            arrays = {name: _padded(array) for name, array in arrays.items()}
        windows = self._embedder(log_mel) if self._embedder else log_mel
        rows, scores, evidence = self._session.run(None, {self._first_input: windows, **arrays})
        return Answer(rows, scores, evidence[:, :n_nodes])


def _padded(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    missing = FEWEST_NODES - array.shape[1]
    return np.pad(array, [(0, 0), (0, missing)] + [(0, 0)] * (array.ndim - 2))
