"""Multi-task ConvNet: Yu, Duan, Fang, Zeng, "Predominant Instrument Recognition Based on Deep Neural
Network With Auxiliary Classification", TASLP 28, 2020.

Input: 158 time-frequency features a frame, one second: 1 x 158 x frames, our reconstruction (128
mel bands, 13 MFCC, 12 chroma, 5 numbers of shape). Known: a backbone like Han's, and auxiliary
classes by onset type or family, of which the MMGAT authors found onset better. Ours: each of the
four blocks of features is standardised by itself, both heads share the units, and the loss is BCE +
0.3 BCE of the auxiliary classes.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import torch
from torch import Tensor, nn

from mmgat.model.labels import N_LABELS
from mmgat.training.comparators.systems.han_convnet import HanTrunk
from mmgat.training.comparators.windows import (
    WindowLoss,
    WindowModel,
    WindowOutput,
    auxiliary_groups,
    group_loss,
)
from mmgat.training.data.bags import Targets

BLOCKS = (128, 13, 12, 5)


class MultitaskConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes and the loss of the network.

    Attributes:
        width: factor of all channels and units; 1 is published.
        shape: features and frames of a window.
        auxiliary: classes of the second head.
        auxiliary_weight: of its loss.
    """

    width: float = 1.0
    shape: tuple[int, int] = (158, 33)
    auxiliary: Literal["onset", "family"] = "onset"
    auxiliary_weight: float = 0.3


class MultitaskConvNet(WindowModel):
    """The network; see the module."""

    def __init__(self, config: MultitaskConfig) -> None:
        super().__init__(config.shape)
        self.rows = nn.BatchNorm1d(config.shape[0], affine=False)
        self.trunk = HanTrunk(1, config.width)
        self.drop = nn.Dropout(0.5)
        self.classifier = nn.Linear(self.trunk.n_units, N_LABELS)
        n_groups = len(auxiliary_groups(config.auxiliary))
        self.auxiliary = nn.Linear(self.trunk.n_units, n_groups)

    def windows(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Computes logits [W, 20] of windows, and those of the auxiliary classes."""
        features = self.drop(self.trunk(self.rows(x).unsqueeze(1)))
        return self.classifier(features), {"auxiliary": self.auxiliary(features)}


class MultitaskLoss(nn.Module):
    """Cross entropy of the labels and of the auxiliary classes."""

    groups: Tensor

    def __init__(self, config: MultitaskConfig) -> None:
        super().__init__()
        self.labels, self.weight = WindowLoss(), config.auxiliary_weight
        self.register_buffer("groups", auxiliary_groups(config.auxiliary))

    def forward(self, network: nn.Module, output: WindowOutput, targets: Targets) -> Tensor:
        """Computes the loss of a batch, a scalar."""
        principal: Tensor = self.labels(network, output, targets)
        target, weight = window_targets(output, targets)
        auxiliary = group_loss(output.further["auxiliary"], target, weight, self.groups)
        return principal + self.weight * auxiliary


def window_targets(output: WindowOutput, targets: Targets) -> tuple[Tensor, Tensor]:
    """Targets and weights [W, 20] of real windows; those of their bags where windows have none."""
    target, weight = targets.instance, targets.instance_weight
    if not weight.any():
        n_windows = weight.shape[1]
        target = targets.bag.unsqueeze(1).expand(-1, n_windows, -1)
        weight = targets.bag_weight.unsqueeze(1).expand(-1, n_windows, -1)
    return target[output.mask], torch.as_tensor(weight[output.mask])
