"""The base class of MMGAT and of every network it is compared with: bags in, scores out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class BagOutput:
    """Scores of a batch of B bags with L labels.

    Attributes:
        bag_scores: float32 [B, L] in [0, 1].
        tag_logits: float32 [B, T], further classes of the bag; T may be 0.
    """

    bag_scores: Tensor
    tag_logits: Tensor

    @property
    def instance_scores(self) -> Tensor | None:
        """Scores float32 [B, N, L] in [0, 1] of every instance; None if the network gives none."""
        return None


class BagModel(nn.Module, ABC):
    """A network for multi-instance learning.

    Shapes: embeddings float32 [B, N, D] of B padded bags with mask bool [B, N], which is True for
    real instances -> ``BagOutput``.
    """

    @abstractmethod
    def forward(self, embeddings: Tensor, mask: Tensor | None = None) -> BagOutput:
        """Computes the scores of bags; without a mask all instances are real."""
