"""What recognises: the learned networks as one function on arrays."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class Graphs(NamedTuple):
    """B graphs of N nodes, each of which a window is joining.

    Attributes:
        nodes: float32 [B, N, D], embeddings; that of the new window is not there yet.
        mask: bool [B, N], which nodes there are, the new one among them.
        steps: int64 [B, N], their seconds.
        newest: bool [B, N], the place of the new one.
        similarity: float32 [B, N, N], of every two nodes; the new one's row and column are not there
            yet.
    """

    nodes: Floats
    mask: npt.NDArray[np.bool_]
    steps: npt.NDArray[np.int64]
    newest: npt.NDArray[np.bool_]
    similarity: Floats


class Prediction(NamedTuple):
    """Scores of B windows, and of the graphs of N nodes they joined.

    Attributes:
        embeddings: float32 [B, D], of the windows.
        scores: float32 [B, 20] in [0, 1], the newest node in the light of its graph.
        evidence: float32 [B, N, 20], of every node; sums to the score of the whole graph.
        row: float32 [B, N], similarity of the new node to every node, itself among them.
    """

    embeddings: Floats
    scores: Floats
    evidence: Floats
    row: Floats


class InferenceBackend(Protocol):
    """Embedder and MMGAT together, as ``mmgat.model.streaming_model.StreamingModel`` describes them.

    Attributes:
        device: where it computes, such as "cpu" or "cuda".
    """

    device: str

    def __call__(self, log_mel: Floats, graphs: Graphs) -> Prediction:
        """Reads the windows' examples, float32 [B, n_frames, n_bands], and the graphs they join."""
        ...
