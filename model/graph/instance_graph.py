"""The instance correlation graph: seconds of sound as nodes, timbre similarity as edges.

Source: the paper, 3.1 (node = one second, edge = similarity). It uses three scales without saying
what a scale is; three neighbourhoods from local to global are our reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import torch
from torch import Tensor

from mmgat.model.graph.similarity import Similarity, cosine

SMALL: Final = 16
"""Nodes of a batch up to which torch computes its graphs as wholes."""

LEAST: Final = torch.finfo(torch.float32).min
"""Closeness of any two nodes that may be neighbours is at least that."""


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

    @cached_property
    def closeness_bias(self) -> Tensor:
        """float32 [B, N, N], what is added to any closeness: inf to oneself, -inf to padding."""
        real = self.mask.unsqueeze(1) & self.mask.unsqueeze(2)
        oneself = torch.eye(self.mask.shape[1], dtype=torch.bool, device=self.mask.device)
        limits = torch.zeros_like(self.similarity).masked_fill(~real, -torch.inf)
        return limits.masked_fill(oneself, torch.inf)

    @cached_property
    def seconds_apart(self) -> Tensor:
        """float32 [B, N, N]."""
        return (self.steps.unsqueeze(1) - self.steps.unsqueeze(2)).abs().float()


@dataclass(frozen=True)
class Neighbours:
    """Whom every node of a batch of graphs attends to, on S scales, as lists of up to K nodes.

    Attributes:
        index: int64 [B, N, K], the neighbours' places among all B N nodes, bag after bag; None if
            every list holds all nodes of its bag in order.
        absent: bool [S, B, N, K], True where a node of the list is no neighbour on a scale.
        similarity: float32 [B, N, K], of the node to each one of its list.
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
        """float32 [S, 1, B, N, K], what is added to the logits of a scale's heads: 0 or -inf."""
        none = torch.zeros_like(self.absent, dtype=self.similarity.dtype)
        return none.masked_fill(self.absent, -torch.inf).unsqueeze(1)

    @cached_property
    def edges(self) -> Tensor:
        """float32 [B, N, K, 2], each one's similarity and a 1."""
        return torch.stack([self.similarity, torch.ones_like(self.similarity)], dim=-1)

    def gather(self, values: Tensor) -> Tensor:
        """Values [B, N, D] of all nodes as those of the lists: [B, N, K, D], or [B, 1, N, D]."""
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

    def neighbours(self, graph: InstanceGraph, whole: bool = False) -> Neighbours:
        """The lists of this scale: K is 2 value + 1, value + 1 or N, and at most N.

        Args:
            whole: K is N, whatever the scale.
        """
        n_bags, n_nodes = graph.mask.shape
        longest, closeness, lowest = n_nodes, graph.similarity, LEAST
        if self.kind == "temporal":
            longest, closeness, lowest = 2 * int(self.value) + 1, -graph.seconds_apart, -self.value
        elif self.kind == "near":
            longest = int(self.value) + 1
        else:
            lowest = self.value
        closeness = closeness + graph.closeness_bias
        if longest >= n_nodes or (whole and self.kind != "near"):
            return Neighbours(None, (closeness < lowest).unsqueeze(0), graph.similarity)
        closest, index = closeness.topk(longest, dim=-1)
        absent = closest < lowest
        if whole:
            absent = torch.ones_like(graph.closeness_bias, dtype=torch.bool).scatter(
                -1, index, absent
            )
            return Neighbours(None, absent.unsqueeze(0), graph.similarity)
        first = torch.arange(0, n_bags * n_nodes, n_nodes, device=index.device)
        places = index + first[:, None, None]
        return Neighbours(places, absent.unsqueeze(0), graph.similarity.gather(-1, index))


def neighbourhoods(
    graph: InstanceGraph, scales: Sequence[Scale], small: int = SMALL
) -> list[Neighbours]:
    """The neighbours on all scales, in order.

    In a batch of up to ``small`` nodes the scales share one list of all nodes: what few pairs are
    computed too many costs less than a step for every scale. In a larger one each scale has its
    own lists.
    """
    whole = graph.mask.numel() <= small
    each = [scale.neighbours(graph, whole) for scale in scales]
    if not whole or not each:
        return each
    return [Neighbours(None, torch.cat([near.absent for near in each]), graph.similarity)]
