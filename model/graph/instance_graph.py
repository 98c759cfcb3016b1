"""The instance correlation graph: seconds of sound as nodes, timbre similarity as edges.

Source: the paper, 3.1 (node = one second, edge = similarity). It uses three scales without saying
what a scale is; three neighbourhoods from local to global are our reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Final

import torch
from torch import Tensor

from mmgat.model.graph.similarity import Similarity, cosine

MAX_DENSE_NODES: Final = 16
"""Nodes of a batch up to which torch computes dense graphs faster than sparse ones."""

MIN_CLOSENESS: Final = torch.finfo(torch.float32).min
"""Smallest closeness of two nodes that may be neighbours."""


class GraphLayout(Enum):
    """How the neighbours of every node are stored.

    ``DENSE``: all nodes of the bag, with a mask for each scale. The scales share one tensor, so a
    small batch needs fewer steps. ``SPARSE``: an index of the K nodes that may be neighbours, for
    each scale its own, so a large batch needs less arithmetic. Both give the same numbers.
    """

    DENSE = "dense"
    SPARSE = "sparse"

    @classmethod
    def for_batch(cls, n_nodes: int) -> GraphLayout:
        """Returns the faster layout for a batch of ``n_nodes`` nodes in all, padding included."""
        return cls.DENSE if n_nodes <= MAX_DENSE_NODES else cls.SPARSE


@dataclass(frozen=True)
class InstanceGraph:
    """A batch of padded graphs.

    Attributes:
        nodes: float32 [B, N, 128], centred embeddings.
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
        """Builds the graph of embeddings [B, N, 128]; by default all are real and one second apart."""
        n_bags, n_nodes = nodes.shape[:2]
        if mask is None:
            mask = nodes.new_ones(n_bags, n_nodes, dtype=torch.bool)
        if steps is None:
            steps = torch.arange(n_nodes, device=nodes.device).expand(n_bags, n_nodes)
        return cls(nodes, mask, steps, metric(nodes, nodes))

    @cached_property
    def closeness_bias(self) -> Tensor:
        """Bias float32 [B, N, N] on any closeness: inf to the node itself, -inf to padding."""
        real = self.mask.unsqueeze(1) & self.mask.unsqueeze(2)
        oneself = torch.eye(self.mask.shape[1], dtype=torch.bool, device=self.mask.device)
        limits = torch.zeros_like(self.similarity).masked_fill(~real, -torch.inf)
        return limits.masked_fill(oneself, torch.inf)

    @cached_property
    def seconds_apart(self) -> Tensor:
        """Distance in time float32 [B, N, N], in seconds."""
        return (self.steps.unsqueeze(1) - self.steps.unsqueeze(2)).abs().float()


@dataclass(frozen=True)
class Neighbours:
    """The up to K nodes that every node of a batch of graphs may attend to, on S scales.

    Attributes:
        index: int64 [B, N, K], positions of the K nodes among all B N nodes, bag after bag; None in
            the dense layout, where they are all nodes of the bag in order.
        absent: bool [S, B, N, K], True where one of the K nodes is no neighbour on a scale.
        similarity: float32 [B, N, K], of the node to each of the K nodes.
    """

    index: Tensor | None
    absent: Tensor
    similarity: Tensor

    @property
    def n_scales(self) -> int:
        """Number of scales S."""
        return self.absent.shape[0]

    @cached_property
    def attention_bias(self) -> Tensor:
        """Bias float32 [S, 1, B, N, K] on the logits of a scale's heads: 0 or -inf."""
        none = torch.zeros_like(self.absent, dtype=self.similarity.dtype)
        return none.masked_fill(self.absent, -torch.inf).unsqueeze(1)

    @cached_property
    def edges(self) -> Tensor:
        """Edge features float32 [B, N, K, 2]: the similarity and a 1."""
        return torch.stack([self.similarity, torch.ones_like(self.similarity)], dim=-1)

    def gather(self, values: Tensor) -> Tensor:
        """Values [B, N, D] of all nodes -> those of the K nodes, [B, N, K, D]; dense [B, 1, N, D]."""
        if self.index is None:
            return values.unsqueeze(1)
        flat = values.flatten(0, 1).index_select(0, self.index.flatten())
        return flat.view(*self.index.shape, -1)


@dataclass(frozen=True)
class Scale:
    """One neighbourhood rule; its spelled form, such as ``near-3``, stands in checkpoints.

    * ``temporal-K``: nodes at most K seconds away.
    * ``near-K``: the K most similar other nodes.
    * ``wide-T``: all nodes with similarity of at least T.

    Every node is its own neighbour on every scale. A padding node is nobody else's neighbour.
    """

    kind: str
    value: float

    @classmethod
    def parse(cls, text: str) -> Scale:
        """Parses the spelled form.

        Raises:
            ValueError: the text is no scale.
        """
        kind, _, number = text.partition("-")
        try:
            value = float(number)
        except ValueError:
            value = float("nan")
        integer = kind in ("temporal", "near")
        if kind not in ("temporal", "near", "wide") or not (value >= -1) or (integer and value % 1):
            raise ValueError(
                f"expected a scale such as 'temporal-1', 'near-3' or 'wide-0.1', found {text!r}"
            )
        return cls(kind, value)

    def neighbours(
        self, graph: InstanceGraph, layout: GraphLayout = GraphLayout.SPARSE
    ) -> Neighbours:
        """Finds the neighbours on this scale.

        In the sparse layout K is 2 value + 1 for ``temporal``, value + 1 for ``near`` and N for
        ``wide``, and at most N; in the dense layout K is N.
        """
        n_bags, n_nodes = graph.mask.shape
        dense = layout is GraphLayout.DENSE
        most, closeness, lowest = n_nodes, graph.similarity, MIN_CLOSENESS
        if self.kind == "temporal":
            most, closeness, lowest = 2 * int(self.value) + 1, -graph.seconds_apart, -self.value
        elif self.kind == "near":
            most = int(self.value) + 1
        else:
            lowest = self.value
        closeness = closeness + graph.closeness_bias
        if most >= n_nodes or (dense and self.kind != "near"):
            return Neighbours(None, (closeness < lowest).unsqueeze(0), graph.similarity)
        closest, index = closeness.topk(most, dim=-1)
        absent = closest < lowest
        if dense:
            absent = torch.ones_like(graph.closeness_bias, dtype=torch.bool).scatter(
                -1, index, absent
            )
            return Neighbours(None, absent.unsqueeze(0), graph.similarity)
        first = torch.arange(0, n_bags * n_nodes, n_nodes, device=index.device)
        positions = index + first[:, None, None]
        return Neighbours(positions, absent.unsqueeze(0), graph.similarity.gather(-1, index))


def neighbourhoods(
    graph: InstanceGraph, scales: Sequence[Scale], layout: GraphLayout | None = None
) -> list[Neighbours]:
    """Finds the neighbours on all scales, in order.

    Args:
        graph: of B bags with up to N nodes.
        scales: the neighbourhood rules.
        layout: by default the faster one for this batch, see ``GraphLayout.for_batch``.

    Returns:
        one ``Neighbours`` of all scales in the dense layout, one a scale in the sparse layout.
    """
    if layout is None:
        layout = GraphLayout.for_batch(graph.mask.numel())
    each = [scale.neighbours(graph, layout) for scale in scales]
    if layout is GraphLayout.SPARSE or not each:
        return each
    return [Neighbours(None, torch.cat([near.absent for near in each]), graph.similarity)]
