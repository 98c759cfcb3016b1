"""Networks that MMGAT is compared with, on the same embeddings, bags and settings."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn

from mmgat.model.bag_model import BagModel, BagOutput
from mmgat.model.embedders.base import EMBEDDING_SIZE
from mmgat.model.graph.attention import GATv2
from mmgat.model.graph.instance_graph import InstanceGraph, Scale
from mmgat.model.labels import N_LABELS


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """Computes the mean [B, D] of states [B, N, D] over real instances."""
    weight = mask.unsqueeze(-1)
    return (states * weight).sum(1) / weight.sum(1)


def hidden_layers(sizes: tuple[int, ...], dropout: float) -> nn.Sequential:
    """Builds linear layers with ReLU and dropout, one for every pair of neighbouring sizes."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers)


class Comparator(BagModel):
    """A trunk that computes states of the instances, then label attention over them.

    Args:
        trunk: embeddings [B, N, 128], mask [B, N] -> states [B, N, size].
        size: of a state.
        n_tags: number of further classes, which are computed from the mean state.
    """

    def __init__(self, trunk: nn.Module, size: int, n_tags: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.relevance = nn.Linear(size, N_LABELS)
        self.classifier = nn.Linear(size, N_LABELS)
        self.tags = nn.Linear(size, n_tags) if n_tags else None

    def forward(self, embeddings: Tensor, mask: Tensor | None = None) -> BagOutput:
        """Computes the scores of bags."""
        if mask is None:
            mask = embeddings.new_ones(embeddings.shape[:2], dtype=torch.bool)
        states = self.trunk(embeddings, mask)
        scores = self.pool(self.relevance(states), self.classifier(states).sigmoid(), mask)
        mean = masked_mean(states, mask)
        return BagOutput(scores, self.tags(mean) if self.tags else mean[:, :0])

    def pool(self, relevance: Tensor, scores: Tensor, mask: Tensor) -> Tensor:
        """Pools instance scores [B, N, 20] to bag scores [B, 20], their attention-weighted mean.

        Gururani et al., "An Attention Mechanism for Musical Instrument Recognition", ISMIR 2019.
        """
        attention = relevance.masked_fill(~mask.unsqueeze(-1), -torch.inf).softmax(1)
        return (attention * scores).sum(1)


class Instancewise(nn.Module):
    """Applies layers to every embedding by itself."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        """Computes the states."""
        states: Tensor = self.layers(embeddings)
        return states


class MeanEmbedding(nn.Module):
    """Applies layers to the mean embedding, as the state of every instance."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        """Computes the states."""
        states: Tensor = self.layers(masked_mean(embeddings, mask))
        return states.unsqueeze(1).expand(-1, embeddings.shape[1], -1)


class DecisionAttention(Comparator):
    """Kong et al., "Audio Set classification with attention model", ICASSP 2018.

    Attention is a sigmoid, normalised over the instances.
    """

    def pool(self, relevance: Tensor, scores: Tensor, mask: Tensor) -> Tensor:
        """Pools instance scores [B, N, 20] to bag scores [B, 20]."""
        weight = relevance.sigmoid().clamp(1e-7, 1 - 1e-7) * mask.unsqueeze(-1)
        return (weight * scores).sum(1) / weight.sum(1)


class GraphTrunk(nn.Module):
    """Graph attention of one scale, to all nodes above one similarity, with ordinary residuals."""

    def __init__(self, size: int, n_layers: int, dropout: float) -> None:
        super().__init__()
        self.input = nn.Linear(EMBEDDING_SIZE, size)
        self.layers = nn.ModuleList(GATv2(size, size) for _ in range(n_layers))
        self.norms = nn.ModuleList(nn.LayerNorm(size) for _ in range(n_layers))
        self.dropout = nn.Dropout(dropout)

    def forward(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        """Computes the states."""
        near = Scale.parse("wide-0.1").neighbours(InstanceGraph.from_nodes(embeddings, mask))
        h: Tensor = self.input(embeddings)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            h = h + self.dropout(nn.functional.elu(layer(norm(h), [near]).squeeze(2)))
        return h


class TransformerTrunk(nn.Module):
    """A small transformer encoder with learned positions."""

    LONGEST: Final = 60

    def __init__(self, size: int, n_layers: int, dropout: float) -> None:
        super().__init__()
        self.input = nn.Linear(EMBEDDING_SIZE, size)
        self.position = nn.Parameter(0.02 * torch.randn(self.LONGEST, size))
        layer = nn.TransformerEncoderLayer(
            size, 4, 2 * size, dropout, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, n_layers, enable_nested_tensor=False)
        self.output = nn.Sequential(nn.LayerNorm(size), nn.Dropout(dropout))

    def forward(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        """Computes the states."""
        h = self.input(embeddings) + self.position[: embeddings.shape[1]]
        states: Tensor = self.output(self.encoder(h, src_key_padding_mask=~mask))
        return states


COMPARATORS: Final[dict[str, Callable[[int, float, int], Comparator]]] = {
    "mean-mlp": lambda size, dropout, n_tags: Comparator(
        MeanEmbedding(hidden_layers((EMBEDDING_SIZE, size, size), dropout)), size, n_tags
    ),
    "attention-mil": lambda size, dropout, n_tags: Comparator(
        Instancewise(hidden_layers((EMBEDDING_SIZE, size, size), dropout)), size, n_tags
    ),
    "decision-attention": lambda size, dropout, n_tags: DecisionAttention(
        Instancewise(hidden_layers((EMBEDDING_SIZE, size, size, size), dropout)), size, n_tags
    ),
    "single-scale-gat": lambda size, dropout, n_tags: Comparator(
        GraphTrunk(size, 3, dropout), size, n_tags
    ),
    "transformer": lambda size, dropout, n_tags: Comparator(
        TransformerTrunk(size, 2, dropout), size, n_tags
    ),
}
"""name -> (size, dropout, number of further classes) -> network."""
