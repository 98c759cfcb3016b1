"""Multi-scale graph attention on padded graphs with neighbour lists.

Sources: GATv2, Brody et al., "How Attentive are Graph Attention Networks?", ICLR 2022 (the layer);
the paper, 3.2 (3 layers, 3 scales, 128 hidden); gate and residual scale are ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu_, linear

from model.instance_graph import Neighbours

NEGATIVE_SLOPE = 0.2


class GATv2(nn.Module):
    r"""GATv2 with a one-dimensional edge feature, on lists of neighbours.

    .. math::
        e_{ij} = a^\top \mathrm{LeakyReLU}(W_r x_i + W_l x_j + w_e s_{ij}),\quad
        x'_i = \sum_{j \in N(i)} \mathrm{softmax}_j(e_{ij}) W_l x_j + b

    Equals ``torch_geometric.nn.GATv2Conv(..., edge_dim=1, add_self_loops=False)`` on the same
    weights, which carry the same names; on graphs of up to 60 nodes padded lists are faster.

    Args:
        n_in, n_out: feature sizes; n_out is that of all heads together.
        n_heads: attention heads, concatenated.

    Shapes: nodes [B, N, n_in], ``Neighbours`` of K -> [B, N, n_out].
    """

    heads: Tensor

    def __init__(self, n_in: int, n_out: int, n_heads: int = 4) -> None:
        super().__init__()
        if n_out % n_heads:
            raise ValueError(f"expected n_out divisible by {n_heads} heads, found {n_out}")
        self.n_heads, self.n_channels = n_heads, n_out // n_heads
        self.lin_l = nn.Linear(n_in, n_out)
        self.lin_r = nn.Linear(n_in, n_out)
        self.lin_edge = nn.Linear(1, n_out, bias=False)
        self.att = nn.Parameter(torch.empty(1, n_heads, self.n_channels))
        self.bias = nn.Parameter(torch.zeros(n_out))
        for weight in (self.lin_l.weight, self.lin_r.weight, self.lin_edge.weight, self.att):
            nn.init.xavier_uniform_(weight)
        nn.init.zeros_(self.lin_l.bias)
        nn.init.zeros_(self.lin_r.bias)
        heads = torch.eye(n_heads).repeat_interleave(self.n_channels, 1)  # [H, D]
        self.register_buffer("heads", heads, persistent=False)

    def attention(self, x: Tensor, neighbours: Neighbours) -> tuple[Tensor, Tensor]:
        """Weights [B, N, K, H], summing to 1 over the K senders, and messages W_l x [B, N, D]."""
        messages = self.lin_l(x)
        senders = (
            messages.unsqueeze(1) if neighbours.index is None else take(messages, neighbours.index)
        )
        joint = torch.addcmul(
            senders, neighbours.similarity.unsqueeze(-1), self.lin_edge.weight[:, 0]
        )
        joint = leaky_relu_(joint.add_(self.lin_r(x).unsqueeze(2)), NEGATIVE_SLOPE)
        logits = linear(joint, self.att.view(1, -1) * self.heads)  # [B, N, K, H]
        logits = logits.masked_fill(~neighbours.present.unsqueeze(-1), -torch.inf)
        return logits.softmax(dim=2), messages

    def forward(self, x: Tensor, neighbours: Neighbours) -> Tensor:
        weights, messages = self.attention(x, neighbours)
        if neighbours.index is not None:
            n_nodes = x.shape[1]
            place = neighbours.index.unsqueeze(-1).expand_as(weights)
            weights = weights.new_zeros(*weights.shape[:2], n_nodes, self.n_heads).scatter(
                2, place, weights
            )
        split: Tensor = messages.unflatten(-1, (self.n_heads, -1))  # type: ignore[no-untyped-call]
        mixed = weights.permute(0, 3, 1, 2) @ split.transpose(1, 2)
        out: Tensor = mixed.transpose(1, 2).flatten(2) + self.bias
        return out

    def __repr__(self) -> str:
        sizes = f"{self.lin_l.in_features}, {self.lin_l.out_features}"
        return f"{type(self).__name__}({sizes}, n_heads={self.n_heads})"


def take(nodes: Tensor, index: Tensor) -> Tensor:
    """Nodes [B, N, D] at places [B, N, K] -> [B, N, K, D]."""
    n_bags, n_nodes, n_near = index.shape
    first = torch.arange(0, n_bags * n_nodes, n_nodes, device=index.device)
    flat = (index + first[:, None, None]).flatten()
    return nodes.flatten(0, 1).index_select(0, flat).view(n_bags, n_nodes, n_near, -1)


class MultiScaleLayer(nn.Module):
    """One GATv2 a scale, fused by a learned gate, added to its input with a small learned weight.

    The weight starts small, so an untrained layer is nearly the identity: without that MMGAT
    trains worse than no graph at all.

    Args:
        size: of a node, in and out.
        n_scales, n_heads: graph attentions, and heads of each.
        dropout: of what the attentions see and of what they say.
        residual_scale: the initial weight.

    Shapes: x [B, N, size], one ``Neighbours`` a scale -> [B, N, size].
    """

    def __init__(
        self, size: int, n_scales: int, n_heads: int, dropout: float, residual_scale: float = 0.1
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.scales = nn.ModuleList(GATv2(size, size, n_heads) for _ in range(n_scales))
        self.gate = nn.Linear(size, n_scales)
        self.residual_scale = nn.Parameter(torch.full((size,), residual_scale))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, neighbours: Sequence[Neighbours]) -> Tensor:
        h = self.dropout(self.norm(x))
        views = [gat(h, near) for gat, near in zip(self.scales, neighbours, strict=True)]
        gates = self.gate(h).softmax(-1)  # [B, N, S]
        fused = torch.stack(views, dim=-1) @ gates.unsqueeze(-1)
        update: Tensor = self.dropout(nn.functional.elu(fused.squeeze(-1)))
        return x + self.residual_scale * update
