"""The instance graph of one stream at a moment, as the bus shows it: for eyes, not for the network.

Source: the neighbourhoods are those of ``mmgat.model.graph``, without torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mmgat.stream.bus.protocol import Graph
from mmgat.stream.recognition.graph_buffer import GraphBuffer

Floats = npt.NDArray[np.float32]

DEFAULT_SCALES: Final = ("temporal-1", "near-3", "wide-0.1")
"""Of a card that names none, as in ``MMGATConfig``."""


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
    matrix, steps = buffer.edges(), buffer.steps[buffer.slots]
    return Graph(
        source=source,
        index=index,
        times_s=[max(0, start) / rate_hz for start in buffer.starts],
        similarity=matrix.astype(np.float64).round(4).clip(-1, 1).tolist(),
        neighbours={
            scale: neighbours(scale, matrix, steps)
            for scale in config.get("scales", DEFAULT_SCALES)
        },
    )


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
