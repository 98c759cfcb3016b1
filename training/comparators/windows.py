"""What the window networks share: they score each window by itself (ours)."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from mmgat.model.bag_model import BagModel, BagOutput
from mmgat.model.labels import FAMILIES, N_LABELS, ONSETS, membership
from mmgat.training.data.bags import Targets


@dataclass(frozen=True)
class WindowOutput(BagOutput):
    """Scores of bags of windows.

    Attributes:
        logits: float32 [B, N, L] of every window, 0 in the padding.
        further: what the loss of a system needs besides, of the W real windows of the batch.
        mask: bool [B, N], which windows are real.
    """

    logits: Tensor
    further: dict[str, Tensor]
    mask: Tensor

    @property
    def instance_scores(self) -> Tensor:
        """Scores [B, N, L] in [0, 1] of every window."""
        return self.logits.sigmoid()


class WindowModel(BagModel):
    """A network that reads one window; a bag's score is the mean of its windows' scores.

    Padding is never computed, so it cannot change anything, batch statistics among them.

    Args:
        shape: of a window.
        n_labels: of the output.
    """

    def __init__(self, shape: tuple[int, ...], n_labels: int = N_LABELS) -> None:
        super().__init__()
        self.shape, self.n_labels = shape, n_labels

    @abstractmethod
    def windows(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Computes logits [W, L] of windows [W, *shape], and what else the loss needs."""

    def forward(self, embeddings: Tensor, mask: Tensor | None = None) -> WindowOutput:
        """Computes the scores of bags of flattened windows [B, N, D]."""
        if mask is None:
            mask = torch.ones(embeddings.shape[:2], dtype=torch.bool, device=embeddings.device)
        assert embeddings.shape[-1] == prod(self.shape)
        found, further = self.windows(embeddings[mask].float().view(-1, *self.shape))
        logits = found.new_zeros(*mask.shape, self.n_labels)
        logits[mask] = found
        real = mask.unsqueeze(-1)
        scores = (logits.sigmoid() * real).sum(1) / real.sum(1)
        return WindowOutput(scores, scores[:, :0], logits, further, mask)


def masked(values: Tensor, weight: Tensor) -> Tensor:
    """Computes the weighted mean; it is 0 if all weights are."""
    return (values * weight).sum() / weight.sum().clamp(min=1e-6)


class WindowLoss(nn.Module):
    """Masked cross entropy of every window, or of the bag where no window's labels are known.

    The published systems train on excerpts of one label with categorical cross entropy; for
    mixtures that becomes a sigmoid a label.
    """

    def forward(self, network: nn.Module, output: WindowOutput, targets: Targets) -> Tensor:
        """Computes the loss of a batch, a scalar."""
        weight = targets.instance_weight * output.mask.unsqueeze(-1)
        if weight.any():
            loss = binary_cross_entropy_with_logits(
                output.logits, targets.instance, reduction="none"
            )
            return masked(loss, weight)
        scores = output.bag_scores.clamp(1e-6, 1 - 1e-6)
        return masked(
            binary_cross_entropy(scores, targets.bag, reduction="none"), targets.bag_weight
        )


def auxiliary_groups(name: str) -> Tensor:
    """Membership [A, 20] of the labels in onset types ("onset") or families ("family")."""
    groups = ONSETS if name == "onset" else FAMILIES
    return torch.tensor(membership(groups), dtype=torch.float32)


def group_loss(logits: Tensor, target: Tensor, weight: Tensor, groups: Tensor) -> Tensor:
    """Computes the masked cross entropy of groups of labels.

    A group sounds if any member does, and is absent only if all its members are known to be.

    Shapes: logits [W, A]; target and weight [W, 20]; groups [A, 20] -> scalar.
    """
    known = weight.unsqueeze(1) * groups
    on = (target.unsqueeze(1) * (known > 0)).amax(-1)
    is_known = (on > 0.5) | ((known > 0).sum(-1) >= groups.sum(-1))
    return masked(binary_cross_entropy_with_logits(logits, on, reduction="none"), is_known.float())


class Standardised(nn.BatchNorm2d):
    """Standardises the channels of spectrograms by their mean and deviation in training."""

    def __init__(self, n_channels: int = 1) -> None:
        super().__init__(n_channels, affine=False)
