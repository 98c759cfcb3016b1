"""Multi-scale graph attention on padded graphs, in a dense or sparse layout.

Sources: GATv2, Brody et al., "How Attentive are Graph Attention Networks?", ICLR 2022 (the layer);
the paper, 3.2 (3 layers, 3 scales, 128 hidden); gate and residual scale are ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import elu, leaky_relu_

from mmgat.model.graph.instance_graph import Neighbours

NEGATIVE_SLOPE = 0.2


class GATv2(nn.Module):
    r"""GATv2 with a one-dimensional edge feature, on one or several scales at once.

    .. math::
        e_{ij} = a^\top \mathrm{LeakyReLU}(W_r x_i + W_l x_j + w_e s_{ij}),\quad
        x'_i = \sum_{j \in N(i)} \mathrm{softmax}_j(e_{ij}) W_l x_j + b

    Each scale has its own heads and its own N(i). Equals ``torch_geometric.nn.GATv2Conv(...,
    heads=n_scales * n_heads, edge_dim=1, add_self_loops=False)`` on the same weights, which carry
    the same names, if a scale's heads get that scale's edges. On graphs of up to 60 nodes padded
    tensors are faster than edge lists, and steps that serve all scales are faster still.

    Args:
        n_in, n_out: feature sizes; n_out is that of all heads of a scale together.
        n_heads: attention heads of a scale, concatenated.
        n_scales: how many attentions stand side by side.

    Shapes: nodes [B, N, n_in], ``Neighbours`` that hold n_scales together -> [B, N, S, n_out].
    """

    heads: Tensor

    def __init__(self, n_in: int, n_out: int, n_heads: int = 4, n_scales: int = 1) -> None:
        super().__init__()
        if n_out % n_heads:
            raise ValueError(f"expected n_out divisible by {n_heads} heads, found {n_out}")
        self.n_out, self.n_heads, self.n_scales = n_out, n_heads, n_scales
        n_channels, all_heads = n_out // n_heads, n_scales * n_heads
        self.lin_l = nn.Linear(n_in, n_scales * n_out)
        self.lin_r = nn.Linear(n_in, n_scales * n_out)
        self.lin_edge = nn.Linear(1, n_scales * n_out, bias=False)
        self.att = nn.Parameter(torch.empty(1, all_heads, n_channels))
        self.bias = nn.Parameter(torch.zeros(n_scales * n_out))
        for weight in (self.lin_l.weight, self.lin_r.weight, self.lin_edge.weight):
            for of_scale in weight.chunk(n_scales):
                nn.init.xavier_uniform_(of_scale)
        for of_scale in self.att.chunk(n_scales, dim=1):
            nn.init.xavier_uniform_(of_scale)
        nn.init.zeros_(self.lin_l.bias)
        nn.init.zeros_(self.lin_r.bias)
        heads = torch.eye(all_heads).repeat_interleave(n_channels, 1)  # [S H, S n_out]
        self.register_buffer("heads", heads, persistent=False)

    def forward(self, x: Tensor, neighbours: Sequence[Neighbours]) -> Tensor:
        """Computes new nodes; see the class for shapes.

        Raises:
            ValueError: ``neighbours`` are not on ``n_scales`` scales together.
        """
        messages, receivers = self.lin_l(x), self.lin_r(x)
        att = self.att.view(1, -1) * self.heads
        parts, first = [], 0
        for near in neighbours:
            channels = slice(first * self.n_out, (first + near.n_scales) * self.n_out)
            heads = slice(first * self.n_heads, (first + near.n_scales) * self.n_heads)
            first += near.n_scales
            sent = messages[..., channels]
            senders = near.gather(sent)
            # W_r x_i + w_e s_ij of all j at once, as [s_ij 1] times [w_e; W_r x_i]
            receiving = receivers[..., channels]
            by_edge = self.lin_edge.weight[channels, 0].expand_as(receiving)
            joint = (near.edges @ torch.stack([by_edge, receiving], dim=-2)).add_(senders)
            logits = att[heads, channels] @ leaky_relu_(joint, NEGATIVE_SLOPE).flatten(0, 2).T
            weights = self.weights(logits.view(-1, *near.similarity.shape), near)
            parts.append(_mixed(weights, senders, near))
        if first != self.n_scales:
            raise ValueError(f"expected neighbours on {self.n_scales} scales, found {first}")
        mixed = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
        return (mixed + self.bias).view(*x.shape[:2], self.n_scales, self.n_out)

    def weights(self, logits: Tensor, near: Neighbours) -> Tensor:
        """Logits [heads, B, N, K] -> attention over neighbours, which sums to 1 over K."""
        by_scale = logits.view(near.n_scales, self.n_heads, *logits.shape[1:])
        return (by_scale + near.attention_bias).softmax(dim=-1).flatten(0, 1)

    def __repr__(self) -> str:
        sizes = f"{self.lin_l.in_features}, {self.n_out}"
        return f"{type(self).__name__}({sizes}, n_heads={self.n_heads}, n_scales={self.n_scales})"


def _mixed(weights: Tensor, senders: Tensor, near: Neighbours) -> Tensor:
    """Sums senders [B, N or 1, K, D], weighted by attention [H, B, N, K] -> [B, N, D]."""
    n_heads, size = weights.shape[0], senders.shape[-1]
    split = senders.view(*senders.shape[:3], n_heads, size // n_heads)
    if near.index is not None:
        return (weights.permute(1, 2, 3, 0).unsqueeze(-1) * split).sum(2).flatten(2)
    mixed = weights.transpose(0, 1) @ split.squeeze(1).transpose(1, 2)
    return mixed.transpose(1, 2).flatten(2)


class MultiScaleLayer(nn.Module):
    """GATv2 on every scale, fused by a learned gate, added to its input with a small learned weight.

    The weight starts small, so an untrained layer is nearly the identity: without that MMGAT
    trains worse than no graph at all.

    Args:
        size: of a node, in and out.
        n_scales, n_heads: graph attentions, and heads of each.
        dropout: of the attentions' input and output.
        residual_scale: the initial weight.

    Shapes: x [B, N, size], ``Neighbours`` of all scales -> [B, N, size].
    """

    def __init__(
        self, size: int, n_scales: int, n_heads: int, dropout: float, residual_scale: float = 0.1
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.attention = GATv2(size, size, n_heads, n_scales)
        self.gate = nn.Linear(size, n_scales)
        self.residual_scale = nn.Parameter(torch.full((size,), residual_scale))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, neighbours: Sequence[Neighbours]) -> Tensor:
        """Computes new nodes; see the class for shapes."""
        h = self.dropout(self.norm(x))
        gates = self.gate(h).softmax(-1).unsqueeze(-2)  # [B, N, 1, S]
        fused = (gates @ self.attention(h, neighbours)).squeeze(-2)
        return torch.addcmul(x, self.residual_scale, self.dropout(elu(fused)))
