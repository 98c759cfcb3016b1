"""Prior logits of the nodes in the light of each other: what MMGAT adds to (ours).

An embedder that was trained on much music knows instruments before any graph is seen. Seconds that
are near in time and alike in timbre speak for each other, each label by as much as it has learned.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from mmgat.model.graph.instance_graph import InstanceGraph
from mmgat.model.labels import N_LABELS

FAR: float = -1e9
"""Closeness of nodes that are not there."""


START_LIKENESS: float = 1.0
START_DECAY: float = -2.97
START_SHARE: float = 3.0
"""At first the context is all but all that counts. Seconds speak for each other as far as they are
alike: one of cosine 1 counts 2.7 times as much as one of cosine 0, and one ten seconds ago 0.6 times as
much as the newest. So what is over is left behind sooner (``training.transfer.context``)."""


class PriorContext(nn.Module):
    """Mixes a node's prior logits with those of its graph.

    Shapes: ``InstanceGraph`` of B graphs of N nodes, prior logits [B, N, 20] -> [B, N, 20].

    Attributes:
        decay: [20], how fast a label's context fades, e-folds a second before ``softplus``.
        likeness: [20], how much more a node of similar timbre counts.
        share: [20], of the context in the sum, before the sigmoid.
        relevance: [20], how much more a second is attended to in which the prior hears the label.
    """

    def __init__(self) -> None:
        super().__init__()
        self.decay = nn.Parameter(torch.full((N_LABELS,), START_DECAY))
        self.likeness = nn.Parameter(torch.full((N_LABELS,), START_LIKENESS))
        self.share = nn.Parameter(torch.full((N_LABELS,), START_SHARE))
        self.relevance = nn.Parameter(torch.full((N_LABELS,), 0.5))

    def forward(self, graph: InstanceGraph, prior: Tensor) -> Tensor:
        """Mixes prior logits [B, N, 20] over the nodes of their graphs."""
        absent = (~graph.mask).unsqueeze(1).expand_as(graph.similarity).float()
        pairs = torch.stack([graph.similarity, graph.seconds_apart, absent], dim=1)
        far = torch.full_like(self.likeness, FAR)
        of_label = torch.stack([self.likeness, -softplus(self.decay), far], dim=1)  # [20, 3]
        closeness = of_label @ pairs.flatten(2)  # [B, 20, N N], faster than one term after another
        weights = closeness.view(*closeness.shape[:2], *graph.similarity.shape[1:]).softmax(dim=-1)
        context = (weights @ prior.transpose(1, 2).unsqueeze(-1)).squeeze(-1).transpose(1, 2)
        return prior + self.share.sigmoid() * (context - prior)
