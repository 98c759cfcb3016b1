"""MMGAT: multi-instance multi-scale graph attention with label semantic embeddings.

Source: Zhang et al., Signals 2025, 6(3), 30: instance graph, three-scale graph attention, label
semantics, auxiliary onset classes. The instance scores and the label-queried pooling that ties
them to the bag are ours.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from model.embedder import EMBEDDING_SIZE
from model.graph_attention import MultiScaleLayer
from model.instance_graph import InstanceGraph, Scale
from model.label_semantics import LabelSemanticAutoencoder
from model.labels import N_LABELS, ONSETS
from model.similarity import similarity_named


@dataclass(frozen=True)
class MMGATConfig:
    """What identifies a network, as it stands in a checkpoint's card."""

    similarity: str = "cosine"
    scales: tuple[str, ...] = ("temporal-1", "near-3", "wide-0.1")
    n_layers: int = 3
    hidden: int = 128
    n_heads: int = 4
    dropout: float = 0.3
    text_size: int = 384
    n_auxiliary: int = len(ONSETS)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> MMGATConfig:
        """Reads a card's entry.

        Raises:
            ValueError: an unknown name or an unusable value.
        """
        unknown = set(values) - set(cls.__dataclass_fields__)
        if unknown:
            raise ValueError(f"unknown MMGAT settings {sorted(unknown)}")
        config = cls(**(values | {"scales": tuple(values.get("scales", cls.scales))}))
        similarity_named(config.similarity)
        for scale in config.scales:
            Scale.parse(scale)
        return config

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"scales": list(self.scales)}


@dataclass(frozen=True)
class MMGATOutput:
    """What one run says about a batch of B graphs of N nodes, with L labels and A onset classes.

    Attributes:
        instance_logits: [B, N, L], of every second in the light of the whole graph.
        attention: [B, N, L], weight of every second for each label; sums to 1 over the nodes.
        bag_scores: [B, L] in [0, 1], attention-weighted mean of the instance scores.
        auxiliary_logits: [B, A], onset classes of the bag.
        features: [B, L, hidden], pooled features before the classifier (centre losses, pictures).
        label_table: [L, hidden], the label embeddings used.
    """

    instance_logits: Tensor
    attention: Tensor
    bag_scores: Tensor
    auxiliary_logits: Tensor
    features: Tensor
    label_table: Tensor

    @property
    def instance_scores(self) -> Tensor:
        """[B, N, L] in [0, 1]."""
        return self.instance_logits.sigmoid()

    @property
    def evidence(self) -> Tensor:
        """[B, N, L]: attention times instance score; sums to the bag score over the nodes."""
        return self.attention * self.instance_scores


class MMGAT(nn.Module):
    """The network of the paper on padded batches of instance graphs.

    Args:
        config: sizes, scales and similarity.
        text: float32 [20, text_size] text embeddings of the labels.

    Shapes: ``InstanceGraph`` of B graphs of up to N nodes -> ``MMGATOutput``. Entries of padding
    nodes are finite and mean nothing; their attention is zero.
    """

    def __init__(self, config: MMGATConfig, text: Tensor) -> None:
        super().__init__()
        if text.shape != (N_LABELS, config.text_size):
            raise ValueError(
                f"expected text embeddings {(N_LABELS, config.text_size)}, found {tuple(text.shape)}"
            )
        size = config.hidden
        self.config = config
        self.metric = similarity_named(config.similarity)
        self.scales = tuple(Scale.parse(scale) for scale in config.scales)
        self.input = nn.Sequential(
            nn.Linear(EMBEDDING_SIZE, size), nn.GELU(), nn.Dropout(config.dropout)
        )
        self.layers = nn.ModuleList(
            MultiScaleLayer(size, len(self.scales), config.n_heads, config.dropout)
            for _ in range(config.n_layers)
        )
        self.output_norm = nn.LayerNorm(size)
        self.labels = LabelSemanticAutoencoder(text, size)
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.to_classifier = nn.Linear(size, size)
        self.label_own = nn.Parameter(torch.randn(N_LABELS, size) * size**-0.5)
        self.label_bias = nn.Parameter(torch.full((N_LABELS,), -2.0))
        self.state = nn.Sequential(nn.Linear(size, size), nn.GELU(), nn.Dropout(config.dropout))
        self.auxiliary = nn.Linear(size, config.n_auxiliary)

    def graph(
        self, nodes: Tensor, mask: Tensor | None = None, steps: Tensor | None = None
    ) -> InstanceGraph:
        """The instance graph of rows [B, N, 128] under this network's similarity."""
        return InstanceGraph.from_nodes(nodes, mask, steps, self.metric)

    def forward(self, graph: InstanceGraph) -> MMGATOutput:
        neighbours = [scale.neighbours(graph) for scale in self.scales]
        h = self.input(graph.nodes)
        for layer in self.layers:
            h = layer(h, neighbours)
        h = self.output_norm(h)

        table = self.labels()  # [L, D]
        state = self.state(h)  # [B, N, D]
        classifier = self.to_classifier(table) + self.label_own  # [L, D]
        logits = state @ classifier.T + self.label_bias  # [B, N, L]

        relevance = self.key(h) @ self.query(table).T * self.config.hidden**-0.5
        relevance = relevance.masked_fill(~graph.mask.unsqueeze(-1), -torch.inf)
        attention = relevance.softmax(dim=1)
        features = attention.transpose(1, 2) @ state  # [B, L, D]
        return MMGATOutput(
            instance_logits=logits,
            attention=attention,
            bag_scores=(attention * logits.sigmoid()).sum(1),
            auxiliary_logits=self.auxiliary(features.mean(1)),
            features=features,
            label_table=table,
        )
