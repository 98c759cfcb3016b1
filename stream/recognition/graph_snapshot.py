"""The instance graph of one stream at a moment, as the bus shows it: for eyes, not for the network.

Source: similarity and neighbourhoods are those of ``mmgat.model.graph``, without torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mmgat.stream.bus.protocol import Graph
from mmgat.stream.recognition.graph_buffer import GraphBuffer

Floats = npt.NDArray[np.float32]

DEFAULT_METRIC: Final = "cosine"
DEFAULT_SCALES: Final = ("temporal-1", "near-3", "wide-0.1")
"""Of a card that names none, as ``MMGATConfig`` has them."""


def graph_snapshot(
    buffer: GraphBuffer, config: Mapping[str, Any], rate_hz: int, source: str, index: int
) -> Graph:
    """The message for the graph in a buffer.

    Args:
        buffer: of the stream and phase.
        config: the card's ``mmgat``.
        rate_hz: of the buffer's positions.
        source: name of the stream.
        index: of the estimate.
    """
    slots = buffer.slots
    rows = buffer.nodes[slots][:, : config.get("n_compared") or None]
    matrix = similarity(config.get("similarity", DEFAULT_METRIC), rows)
    steps = buffer.steps[slots]
    return Graph(
        source=source,
        index=index,
        times_s=[start / rate_hz for start in buffer.starts],
        similarity=matrix.astype(np.float64).round(4).clip(-1, 1).tolist(),
        neighbours={
            scale: neighbours(scale, matrix, steps)
            for scale in config.get("scales", DEFAULT_SCALES)
        },
    )


def similarity(metric: str, rows: Floats) -> Floats:
    """Similarities float32 [n, n] of embeddings float32 [n, d].

    Args:
        metric: cosine, pearson, euclidean or emd, as in ``mmgat.model.graph.similarity``.
        rows: centred embeddings.
    """
    if metric in ("cosine", "pearson"):
        centred = rows - rows.mean(-1, keepdims=True) if metric == "pearson" else rows
        unit = centred / np.maximum(np.linalg.norm(centred, axis=-1, keepdims=True), 1e-12)
        return np.asarray(unit @ unit.T, np.float32)
    if metric == "euclidean":
        squared = np.square(rows[:, None] - rows[None]).mean(-1)
        return np.asarray(np.exp(-squared / 2), np.float32)
    exponentials = np.exp(rows - rows.max(-1, keepdims=True, initial=-np.inf))
    cumulative = (exponentials / exponentials.sum(-1, keepdims=True)).cumsum(-1)
    return np.asarray(1 / (1 + np.abs(cumulative[:, None] - cumulative[None]).sum(-1)), np.float32)


def neighbours(
    scale: str, matrix: Floats, steps: Sequence[int] | npt.NDArray[np.int64]
) -> list[list[int]]:
    """For each of n nodes the positions of its neighbours, ascending, without itself.

    Args:
        scale: ``temporal-K``, ``near-K`` or ``wide-T``, see ``mmgat.model.graph.instance_graph``.
        matrix: similarities float32 [n, n].
        steps: seconds of the nodes.
    """
    kind, _, number = scale.partition("-")
    others = ~np.eye(len(matrix), dtype=bool)
    if kind == "near":
        closeness = np.where(others, matrix, -np.inf)
        order = np.argsort(-closeness, axis=-1, kind="stable")[:, : int(float(number))]
        return [sorted(int(j) for j in row if j != i) for i, row in enumerate(order)]
    if kind == "temporal":
        at = np.asarray(steps)
        near = np.abs(at[:, None] - at[None]) <= float(number)
    else:
        near = matrix >= np.float32(number)
    return [np.flatnonzero(row).tolist() for row in near & others]
