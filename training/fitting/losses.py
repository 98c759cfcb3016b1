"""MMGAT's loss: masked classification, presence, onset classes, center losses, reconstruction.

Source: the paper, 3.3, names the parts (the center losses come from AEDCN); weights, masks, the
instance term and everything else it leaves open are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import msgspec
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from mmgat.model.labels import N_LABELS, ONSETS, membership
from mmgat.model.mmgat import MMGAT, MMGATOutput


class LossWeights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Weights of the parts.

    Cross entropy over 20 mostly absent labels is small: of AudioSet's bags 0.03, against 0.4 of the
    three onset classes. Auxiliary classes with a weight of 0.2 lead the network instead of helping.
    ``presence`` matters where seconds are known in which nothing plays.
    """

    instance: float = 1.0
    presence: float = 0.0
    auxiliary: float = 0.005
    center: float = 0.0002
    auxiliary_center: float = 0.0001
    reconstruction: float = 0.1
    tags: float = 0.2


class HasBagScores(Protocol):
    """An output with scores [B, 20] of bags and logits [B, T] of their tags."""

    @property
    def bag_scores(self) -> Tensor: ...

    @property
    def tag_logits(self) -> Tensor: ...


@dataclass(frozen=True)
class Targets:
    """What is known of a batch of bags; weight 0 means unknown, never negative.

    Attributes:
        bag, bag_weight: float32 [B, 20], targets in [0, 1].
        instance, instance_weight: float32 [B, N, 20].
        tags: float32 [B, T], further classes in [0, 1], all known; T may be 0.
    """

    bag: Tensor
    bag_weight: Tensor
    instance: Tensor
    instance_weight: Tensor
    tags: Tensor


def masked_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean; 0 where nothing is known."""
    return (values * weight).sum() / weight.sum().clamp(min=1e-6)


def group_targets(bag: Tensor, weight: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    """Targets [B, A] of label groups [A, 20]: on if any member is; off only if all are known."""
    known = weight.unsqueeze(1) * groups  # [B, A, 20]
    target = (bag.unsqueeze(1) * (known > 0)).amax(-1)
    all_known = known.sum(-1) >= groups.sum(-1)
    return target, ((target > 0.5) | all_known).float()


def presence_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Cross entropy of "any label sounds" in every second, whose logit is the labels' log-sum-exp.

    One false label among 20 hardly shows in their mean; here the loudest speaks for the second.

    Shapes: all [B, N, L] -> scalar. Known is a second with a label of at least 0.5, or with all known.
    """
    any_sounds = (target * (weight > 0)).amax(-1)
    known = (any_sounds >= 0.5) | (weight > 0).all(-1)
    loss = binary_cross_entropy_with_logits(logits.logsumexp(-1), any_sounds, reduction="none")
    return masked_mean(loss, known * weight.amax(-1))


class CenterLoss(nn.Module):
    """Mean squared distance of features to the learned centers of their (soft) classes.

    Shapes: features [B, C, D], membership in [0, 1] [B, C] -> scalar.
    """

    def __init__(self, n_classes: int, size: int) -> None:
        super().__init__()
        self.centers = nn.Parameter(torch.zeros(n_classes, size))

    def forward(self, features: Tensor, belongs: Tensor) -> Tensor:
        return masked_mean((features - self.centers).square().mean(-1), belongs)


class BagLoss(nn.Module):
    """Masked cross entropy of an output's ``bag_scores``, and of its ``tag_logits`` if it has any.

    Args:
        tags: weight of the tags.
    """

    def __init__(self, tags: float) -> None:
        super().__init__()
        self.tags = tags

    def forward(self, _: nn.Module, output: HasBagScores, targets: Targets) -> Tensor:
        scores = output.bag_scores.clamp(1e-6, 1 - 1e-6)
        bag = binary_cross_entropy(scores, targets.bag, reduction="none")
        loss = masked_mean(bag, targets.bag_weight)
        if output.tag_logits.numel() and targets.tags.numel():
            tags = binary_cross_entropy_with_logits(output.tag_logits, targets.tags)
            loss = loss + self.tags * tags
        return loss


class MMGATLoss(nn.Module):
    """The weighted sum, for an ``MMGATOutput`` and its ``Targets``.

    Args:
        model: the network it is for; parts it lacks have no loss.
        weights: of the parts.
        groups: auxiliary classes, by onset type unless named otherwise.
    """

    groups: Tensor

    def __init__(
        self,
        model: MMGAT,
        weights: LossWeights | None = None,
        groups: dict[str, tuple[str, ...]] | None = None,
    ) -> None:
        super().__init__()
        self.weights = weights or LossWeights()
        self.bag = BagLoss(self.weights.tags)
        groups = groups or ONSETS
        self.register_buffer("groups", torch.tensor(membership(groups), dtype=torch.float32))
        size = model.config.state_sizes[-1]
        self.center = CenterLoss(N_LABELS, size)
        self.auxiliary_center = CenterLoss(len(groups), size)

    def forward(self, model: MMGAT, output: MMGATOutput, targets: Targets) -> Tensor:
        w = self.weights
        total: Tensor = self.bag(model, output, targets)
        instance = binary_cross_entropy_with_logits(
            output.instance_logits, targets.instance, reduction="none"
        )
        total = total + w.instance * masked_mean(instance, targets.instance_weight)
        if w.presence:
            total = total + w.presence * presence_loss(
                output.instance_logits, targets.instance, targets.instance_weight
            )
        positive = targets.bag * targets.bag_weight
        total = total + w.center * self.center(output.features, positive)
        if model.config.n_auxiliary:
            onset, known = group_targets(targets.bag, targets.bag_weight, self.groups)
            auxiliary = binary_cross_entropy_with_logits(
                output.auxiliary_logits, onset, reduction="none"
            )
            pooled = output.features.mean(1, keepdim=True).expand(-1, len(self.groups), -1)
            total = total + w.auxiliary * masked_mean(auxiliary, known)
            total = total + w.auxiliary_center * self.auxiliary_center(pooled, onset * known)
        if model.labels is not None:
            total = total + w.reconstruction * model.labels.reconstruction_error()
        return total
