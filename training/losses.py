"""MMGAT's loss: masked classification, auxiliary onset classes, two center losses, reconstruction.

Source: the paper, 3.3, names the parts (the center losses come from AEDCN); weights, masks, the
instance term and everything else it leaves open are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from model.labels import N_LABELS, ONSETS, membership
from model.mmgat import MMGAT, MMGATOutput


@dataclass(frozen=True)
class LossWeights:
    """Weights beside the bag's classification, which has 1."""

    instance: float = 1.0
    auxiliary: float = 0.2
    center: float = 0.01
    auxiliary_center: float = 0.005
    reconstruction: float = 0.1


@dataclass(frozen=True)
class Targets:
    """What is known of a batch of bags; weight 0 means unknown, never negative.

    Attributes:
        bag, bag_weight: float32 [B, 20], targets in [0, 1].
        instance, instance_weight: float32 [B, N, 20].
    """

    bag: Tensor
    bag_weight: Tensor
    instance: Tensor
    instance_weight: Tensor


def masked_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean; 0 where nothing is known."""
    return (values * weight).sum() / weight.sum().clamp(min=1e-6)


def group_targets(bag: Tensor, weight: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    """Targets [B, A] of label groups [A, 20]: on if any member is; off only if all are known."""
    known = weight.unsqueeze(1) * groups  # [B, A, 20]
    target = (bag.unsqueeze(1) * (known > 0)).amax(-1)
    all_known = known.sum(-1) >= groups.sum(-1)
    return target, ((target > 0.5) | all_known).float()


class CenterLoss(nn.Module):
    """Mean squared distance of features to the learned centers of their (soft) classes.

    Shapes: features [B, C, D], membership in [0, 1] [B, C] -> scalar.
    """

    def __init__(self, n_classes: int, size: int) -> None:
        super().__init__()
        self.centers = nn.Parameter(torch.zeros(n_classes, size))

    def forward(self, features: Tensor, belongs: Tensor) -> Tensor:
        return masked_mean((features - self.centers).square().mean(-1), belongs)


class MMGATLoss(nn.Module):
    """The weighted sum, for an ``MMGATOutput`` and its ``Targets``.

    Args:
        hidden: feature size.
        weights: of the parts.
        groups: auxiliary classes, by onset type unless named otherwise.
    """

    groups: Tensor

    def __init__(
        self,
        hidden: int,
        weights: LossWeights | None = None,
        groups: dict[str, tuple[str, ...]] | None = None,
    ) -> None:
        super().__init__()
        self.weights = weights or LossWeights()
        groups = groups or ONSETS
        self.register_buffer("groups", torch.tensor(membership(groups), dtype=torch.float32))
        self.center = CenterLoss(N_LABELS, hidden)
        self.auxiliary_center = CenterLoss(len(groups), hidden)

    def forward(self, model: MMGAT, output: MMGATOutput, targets: Targets) -> Tensor:
        w = self.weights
        scores = output.bag_scores.clamp(1e-6, 1 - 1e-6)
        bag = masked_mean(
            binary_cross_entropy(scores, targets.bag, reduction="none"), targets.bag_weight
        )
        instance = masked_mean(
            binary_cross_entropy_with_logits(
                output.instance_logits, targets.instance, reduction="none"
            ),
            targets.instance_weight,
        )
        onset, onset_known = group_targets(targets.bag, targets.bag_weight, self.groups)
        auxiliary = masked_mean(
            binary_cross_entropy_with_logits(output.auxiliary_logits, onset, reduction="none"),
            onset_known,
        )
        positive = targets.bag * targets.bag_weight
        pooled = output.features.mean(1, keepdim=True).expand(-1, len(self.groups), -1)
        total: Tensor = (
            bag
            + w.instance * instance
            + w.auxiliary * auxiliary
            + w.center * self.center(output.features, positive)
            + w.auxiliary_center * self.auxiliary_center(pooled, onset * onset_known)
            + w.reconstruction * model.labels.reconstruction_error(output.label_table)
        )
        return total
