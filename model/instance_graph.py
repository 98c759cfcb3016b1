"""The instance correlation graph: seconds of sound as nodes, timbre similarity as edges.

Source: the paper, 3.1 (node = one second, edge = similarity). It uses three scales without saying
what a scale is; three neighbourhoods from local to global are our reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from model.similarity import Similarity, cosine

SMALL: Final = 16
"""Nodes up to which torch computes a graph as a whole."""

FROM_LISTS: Final = 0
"""In place of it, where steps cost next to nothing."""


@dataclass(frozen=True)
class InstanceGraph:
    """A batch of padded graphs.

    Attributes:
        nodes: float32 [B, N, 128], centred embedding rows.
        mask: bool [B, N], True where a node is real.
        steps: int64 [B, N], position of every node in seconds (neighbours in time differ by 1).
        similarity: float32 [B, N, N], symmetric.
    """

    nodes: Tensor
    mask: Tensor
    steps: Tensor
    similarity: Tensor

    @classmethod
    def from_nodes(
        cls,
        nodes: Tensor,
        mask: Tensor | None = None,
        steps: Tensor | None = None,
        metric: Similarity = cosine,
    ) -> InstanceGraph:
        """The graph of rows [B, N, 128]; by default all real and one second apart."""
        n_bags, n_nodes = nodes.shape[:2]
        if mask is None:
            mask = nodes.new_ones(n_bags, n_nodes, dtype=torch.bool)
        if steps is None:
            steps = torch.arange(n_nodes, device=nodes.device).expand(n_bags, n_nodes)
        return cls(nodes, mask, steps, metric(nodes, nodes))


@dataclass(frozen=True)
class Neighbours:
    """Whom every node of a batch of graphs attends to, on S scales, as lists of up to K nodes.

    Attributes:
        index: int64 [B, N, K], the neighbours' places among the N nodes; None if K = N and every
            list holds all nodes in order.
        present: bool [S, B, N, K]; False where a node of the list is no neighbour on a scale.
        similarity: float32 [B, N, K], of the node to each one of its list.
    """

    index: Tensor | None
    present: Tensor
    similarity: Tensor

    @property
    def n_scales(self) -> int:
        return self.present.shape[0]

    def among_all(self) -> Tensor:
        """Who is a neighbour, bool [S, B, N, N]."""
        if self.index is None:
            return self.present
        n_scales, n_bags, n_nodes, _ = self.present.shape
        nobody = self.present.new_zeros(n_scales, n_bags, n_nodes, n_nodes)
        return nobody.scatter(3, self.index.expand_as(self.present), self.present)


@dataclass(frozen=True)
class Scale:
    """One neighbourhood rule; its spelled form, such as ``near-3``, stands in checkpoints.

    * ``temporal-K``: nodes at most K seconds away.
    * ``near-K``: the K most similar other nodes.
    * ``wide-T``: all nodes with similarity of at least T.

    Every node is its own neighbour on every scale, padding is nobody's but its own.
    """

    kind: str
    value: float

    @classmethod
    def parse(cls, text: str) -> Scale:
        """Reads the spelled form.

        Raises:
            ValueError: the text is no scale.
        """
        kind, _, number = text.partition("-")
        try:
            value = float(number)
        except ValueError:
            value = float("nan")
        whole = kind in ("temporal", "near")
        if kind not in ("temporal", "near", "wide") or not (value >= -1) or (whole and value % 1):
            raise ValueError(
                f"expected a scale such as 'temporal-1', 'near-3' or 'wide-0.1', found {text!r}"
            )
        return cls(kind, value)

    def neighbours(self, graph: InstanceGraph) -> Neighbours:
        """The lists of this scale: K is 2 value + 1, value + 1 or N, and at most N."""
        n_nodes = graph.mask.shape[1]
        if self.kind == "temporal":
            longest = 2 * int(self.value) + 1
            closeness = -(graph.steps.unsqueeze(1) - graph.steps.unsqueeze(2)).abs().float()
            lowest = -self.value
        elif self.kind == "near":
            longest, closeness, lowest = int(self.value) + 1, graph.similarity, -torch.inf
        else:
            longest, closeness, lowest = n_nodes, graph.similarity, self.value
        both_real = graph.mask.unsqueeze(1) & graph.mask.unsqueeze(2)
        eye = torch.eye(n_nodes, dtype=torch.bool, device=graph.mask.device)
        closeness = closeness.masked_fill(~both_real, -torch.inf).masked_fill(eye, torch.inf)
        index, similarity = None, graph.similarity
        if longest < n_nodes:
            closeness, index = closeness.topk(longest, dim=-1)
            similarity = similarity.gather(-1, index)
        present = (closeness >= lowest) & (closeness > -torch.inf)
        return Neighbours(index, present.unsqueeze(0), similarity)


def neighbourhoods(
    graph: InstanceGraph, scales: Sequence[Scale], small: int = SMALL
) -> list[Neighbours]:
    """The neighbours on all scales, in order.

    In a graph of up to ``small`` nodes the scales share one list of all nodes: what few pairs are
    computed too many costs less than a step for every scale. In a larger one each scale has its
    own lists.
    """
    each = [scale.neighbours(graph) for scale in scales]
    if graph.mask.shape[1] > small or not each:
        return each
    present = torch.cat([near.among_all() for near in each])
    return [Neighbours(None, present, graph.similarity)]
