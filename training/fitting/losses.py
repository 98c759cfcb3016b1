"""MMGAT's loss: masked classification, presence, onset classes, center losses, reconstruction.

Source: the paper, 3.3, names the parts (the center losses come from AEDCN); weights, masks, the
instance term and everything else it leaves open are ours.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from mmgat.model.bag_model import BagModel, BagOutput
from mmgat.model.labels import N_LABELS, ONSETS, membership
from mmgat.model.mmgat import MMGAT, MMGATOutput
from mmgat.training.data.bags import Targets


class LossWeights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Weights of the parts of the loss.

    Cross entropy over 20 mostly absent labels is small: 0.03 for AudioSet's bags, against 0.4 for the
    three onset classes. Auxiliary classes with a weight of 0.2 lead the network instead of helping.
    ``presence`` matters if there are seconds that are known to be without any label.
    """

    instance: float = 1.0
    presence: float = 0.0
    auxiliary: float = 0.005
    center: float = 0.0002
    auxiliary_center: float = 0.0001
    reconstruction: float = 0.1
    tags: float = 0.2


def masked_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Computes the weighted mean; it is 0 if all weights are."""
    return (values * weight).sum() / weight.sum().clamp(min=1e-6)


def group_targets(bag: Tensor, weight: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    """Computes targets [B, A] of label groups [A, 20] and whether they are known.

    A group is on if any member is, and off only if all members are known.
    """
    known = weight.unsqueeze(1) * groups  # [B, A, 20]
    target = (bag.unsqueeze(1) * (known > 0)).amax(-1)
    all_known = known.sum(-1) >= groups.sum(-1)
    return target, ((target > 0.5) | all_known).float()


def presence_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Computes the cross entropy of "any label sounds" in every second.

    Its logit is the log-sum-exp of the labels' logits, so that the largest one counts: one false label
    among 20 hardly changes their mean.

    Shapes: all [B, N, L] -> scalar. A second counts if a target is at least 0.5 or all are known.
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
        """Computes the loss; see the class for shapes."""
        return masked_mean((features - self.centers).square().mean(-1), belongs)


class BagLoss(nn.Module):
    """Masked cross entropy of ``bag_scores``, plus that of ``tag_logits`` if there are any.

    Args:
        tags: weight of the tags.
    """

    def __init__(self, tags: float) -> None:
        super().__init__()
        self.tags = tags

    def forward(self, _: BagModel, output: BagOutput, targets: Targets) -> Tensor:
        """Computes the loss of a batch, a scalar."""
        scores = output.bag_scores.clamp(1e-6, 1 - 1e-6)
        bag = binary_cross_entropy(scores, targets.bag, reduction="none")
        loss = masked_mean(bag, targets.bag_weight)
        if output.tag_logits.numel() and targets.tags.numel():
            tags = binary_cross_entropy_with_logits(output.tag_logits, targets.tags)
            loss = loss + self.tags * tags
        return loss


class MMGATLoss(nn.Module):
    """The weighted sum of all parts, of an ``MMGATOutput`` and its ``Targets``.

    Args:
        model: the network; a part that it lacks has no loss.
        weights: of the parts.
        groups: auxiliary classes; onset types if not given.
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
        """Computes the loss of a batch, a scalar."""
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
