"""MMGAT: multi-instance multi-scale graph attention with label semantic embeddings.

Source: Zhang et al., Signals 2025, 6(3), 30: instance graph, three-scale graph attention, label
semantics, auxiliary onset classes. Instance scores, label-queried pooling, the wide state after
the graph and the tags are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from mmgat.model.bag_model import BagModel, BagOutput
from mmgat.model.embedders.base import EMBEDDING_SIZE
from mmgat.model.graph.attention import MultiScaleLayer
from mmgat.model.graph.instance_graph import GraphLayout, InstanceGraph, Scale, neighbourhoods
from mmgat.model.graph.similarity import similarity_named
from mmgat.model.label_semantics import LabelSemanticAutoencoder
from mmgat.model.labels import N_LABELS, ONSETS
from mmgat.model.prior_context import PriorContext


class MMGATConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What identifies a network, as it stands in a checkpoint's card.

    Attributes:
        similarity: metric of the instance graph.
        scales: neighbourhoods, see ``Scale``.
        n_layers: of graph attention; 0 leaves the graph out.
        n_heads: of each graph attention.
        input_size: of an embedding.
        hidden: width of layers and label embeddings.
        state_sizes: widths of the two layers from a node to its state.
        graph_dropout, dropout: in the layers, in the state.
        residual_scale: weight of an untrained layer's update.
        text_size: of the labels' text embeddings; 0 leaves label semantics out.
        n_auxiliary: auxiliary classes; 0 leaves them out.
        n_tags: further classes that help training and are not reported.
        n_compared: first entries of a row that similarity compares; 0 compares all.
        has_prior: the labels' prior logits follow those entries, and MMGAT learns what to add.
    """

    similarity: str = "cosine"
    scales: tuple[str, ...] = ("temporal-1", "near-3", "wide-0.1")
    n_layers: int = 3
    n_heads: int = 4
    input_size: int = EMBEDDING_SIZE
    hidden: int = 128
    state_sizes: tuple[int, int] = (1024, 512)
    graph_dropout: float = 0.5
    dropout: float = 0.6
    residual_scale: float = 0.1
    text_size: int = 384
    n_auxiliary: int = len(ONSETS)
    n_tags: int = 0
    n_compared: int = 0
    has_prior: bool = False

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> MMGATConfig:
        """Reads a card's entry.

        Raises:
            ValueError: an unknown name or an unusable value.
        """
        config = msgspec.convert(values, cls)
        similarity_named(config.similarity)
        for scale in config.scales:
            Scale.parse(scale)
        return config

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as a card's entry."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values


@dataclass(frozen=True)
class MMGATOutput(BagOutput):
    """MMGAT's output for a batch of B graphs of N nodes, with L labels and A onset classes.

    The bag score is the attention-weighted mean of the instance scores.

    Attributes:
        instance_logits: [B, N, L], of every node; the layers have seen the whole graph.
        attention: [B, N, L], weight of every node for each label; sums to 1 over the nodes.
        features: [B, L, D], pooled states before the classifier (center losses, figures).
        auxiliary_logits: [B, A], onset classes of the bag.
    """

    instance_logits: Tensor
    attention: Tensor
    features: Tensor
    auxiliary_logits: Tensor

    @property
    def instance_scores(self) -> Tensor:
        """Scores [B, N, L] in [0, 1] of every node."""
        return self.instance_logits.sigmoid()

    @property
    def evidence(self) -> Tensor:
        """Attention times instance score, [B, N, L]; it sums to the bag score over the nodes."""
        return self.attention * self.instance_scores


class MMGAT(BagModel):
    """The network of the paper on padded batches of instance graphs.

    Embeddings pass three graph attention layers that start as the identity. Each node's result becomes
    a wide state, and the states give scores and attention of every label.

    Args:
        config: sizes, scales and similarity.
        text: float32 [20, text_size] text embeddings of the labels; None with text_size 0.

    Shapes: embeddings [B, N, input_size], mask bool [B, N] and positions int64 [B, N] in seconds ->
    ``MMGATOutput``. Entries of padding nodes are finite and mean nothing; their attention is zero.
    """

    def __init__(self, config: MMGATConfig, text: Tensor | None) -> None:
        super().__init__()
        found = 0 if text is None else text.shape[-1]
        if found != config.text_size or (text is not None and len(text) != N_LABELS):
            raise ValueError(
                f"expected text embeddings {(N_LABELS, config.text_size)}, "
                f"found {None if text is None else tuple(text.shape)}"
            )
        first, size = config.state_sizes
        self.config = config
        self.metric = similarity_named(config.similarity)
        self.scales = tuple(Scale.parse(scale) for scale in config.scales)
        self.input: nn.Module = nn.Identity()
        if config.input_size != config.hidden:
            self.input = nn.Linear(config.input_size, config.hidden)
        self.layers = nn.ModuleList(
            MultiScaleLayer(
                config.hidden,
                len(self.scales),
                config.n_heads,
                config.graph_dropout,
                config.residual_scale,
            )
            for _ in range(config.n_layers)
        )
        self.state = nn.Sequential(
            nn.Linear(config.hidden, first),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(first, size),
            nn.ReLU(),
            nn.Dropout(config.dropout),
        )
        self.relevance = nn.Linear(size, N_LABELS)
        self.classifier = nn.Linear(size, N_LABELS)
        self.labels = None
        if text is not None:
            self.labels = LabelSemanticAutoencoder(text, config.hidden)
            self.label_query = nn.Linear(config.hidden, size)
            self.label_class = nn.Linear(config.hidden, size)
            self.label_scale = nn.Parameter(torch.full((2,), 0.01))
        self.auxiliary = nn.Linear(size, config.n_auxiliary) if config.n_auxiliary else None
        self.tags = nn.Linear(size, config.n_tags) if config.n_tags else None
        self.prior = PriorContext() if config.has_prior else None
        if self.prior is not None:
            self._start_at_prior()

    def _start_at_prior(self) -> None:
        """Lets an untrained network say what the prior logits say."""
        silent = [self.classifier, self.relevance]
        if self.labels is not None:
            silent += [self.label_class, self.label_query]
        for layer in silent:
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def label_vectors(self) -> tuple[Tensor, Tensor]:
        """Returns the queries of the attention and the weights of the classifier, both [L, D].

        Each is a learned vector of the label plus a projection of its text embedding.
        """
        queries, classes = self.relevance.weight, self.classifier.weight
        if self.labels is None:
            return queries, classes
        table = self.labels()  # [L, hidden]
        return (
            queries + self.label_scale[0] * self.label_query(table),
            classes + self.label_scale[1] * self.label_class(table),
        )

    def graph(
        self, nodes: Tensor, mask: Tensor | None = None, steps: Tensor | None = None
    ) -> InstanceGraph:
        """Builds the instance graph of embeddings [B, N, input_size] with this network's similarity."""
        n_compared = self.config.n_compared or nodes.shape[-1]
        graph = InstanceGraph.from_nodes(nodes[..., :n_compared], mask, steps, self.metric)
        return replace(graph, nodes=nodes)

    def row(self, embeddings: Tensor, nodes: Tensor) -> Tensor:
        """Computes one row of the similarity matrix, O(N d).

        Args:
            embeddings: float32 [B, input_size], of one node a graph.
            nodes: float32 [B, N, input_size], all nodes of the graphs.

        Returns:
            float32 [B, N], as that node's row in ``graph(nodes).similarity``.
        """
        n_compared = self.config.n_compared or nodes.shape[-1]
        compared = embeddings[:, None, :n_compared]
        return self.metric(compared, nodes[..., :n_compared]).squeeze(1)

    def instances(
        self,
        graph: InstanceGraph,
        label_vectors: tuple[Tensor, Tensor] | None = None,
        layout: GraphLayout | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Per-node states, logits and attention; live inference uses the last two.

        Args:
            graph: of B bags with up to N nodes.
            label_vectors: result of ``label_vectors()``, if weights no longer change.
            layout: how neighbours are stored; chosen by the size of the batch if not given.

        Returns:
            states [B, N, D]; logits and attention [B, N, L].
        """
        neighbours = neighbourhoods(graph, self.scales, layout)
        h = self.input(graph.nodes)
        for layer in self.layers:
            h = layer(h, neighbours)
        states: Tensor = self.state(h)
        queries, classes = label_vectors or self.label_vectors()
        relevance = linear(states, queries, self.relevance.bias)
        logits = linear(states, classes, self.classifier.bias)
        if self.prior is not None:
            first = self.config.n_compared
            prior = self.prior(graph, graph.nodes[..., first : first + N_LABELS])
            logits = logits + prior
            relevance = relevance + self.prior.relevance * prior
        attention = relevance.masked_fill(~graph.mask.unsqueeze(-1), -torch.inf).softmax(dim=1)
        return states, logits, attention

    def forward(
        self, embeddings: Tensor, mask: Tensor | None = None, steps: Tensor | None = None
    ) -> MMGATOutput:
        """Computes the scores of bags; see the class for shapes."""
        graph = self.graph(embeddings, mask, steps)
        states, logits, attention = self.instances(graph)
        real = graph.mask.unsqueeze(-1)
        features = attention.transpose(1, 2) @ states  # [B, L, D]
        nothing = features.new_zeros(len(features), 0)
        return MMGATOutput(
            instance_logits=logits,
            attention=attention,
            bag_scores=(attention * logits.sigmoid()).sum(1),
            features=features,
            auxiliary_logits=self.auxiliary(features.mean(1)) if self.auxiliary else nothing,
            tag_logits=self.tags((states * real).sum(1) / real.sum(1)) if self.tags else nothing,
        )
