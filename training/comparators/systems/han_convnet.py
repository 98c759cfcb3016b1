"""ConvNet: Han, Kim, Lee, "Deep Convolutional Neural Networks for Predominant Instrument Recognition
in Polyphonic Music", TASLP 25(1), 2017, Table I.

Input: log-mel of one second, 1 x 43 x 128. Four blocks of two 3x3 convolutions, each padded by 2,
so that maps grow, with 32, 64, 128 and 256 channels, LeakyReLU 0.33; after the first three
max-pooling 3x3 and dropout 0.25, after the last a global maximum. Then 1024 units, dropout 0.5, and
a sigmoid a label. With 11 labels and full width 1.446 M parameters. The standardisation of the
input is ours.

A clip's score is the class-wise mean of its windows (S1), or their sum divided by the clip's
largest (S2, ``summed_scores``). S2 always names an instrument, since its largest score is 1: mean
average precision is of S1, and F1 of both is told.
"""

from __future__ import annotations

from itertools import pairwise

import msgspec
import torch
from torch import Tensor, nn

from mmgat.model.labels import N_LABELS
from mmgat.training.comparators.windows import Standardised, WindowModel
from mmgat.training.metrics import Array

SLOPE = 0.33
CHANNELS = (32, 64, 128, 256)
UNITS = 1024


class HanConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes of the network.

    Attributes:
        width: factor of all channels and units; 1 is published.
        shape: channels, rows and columns of a window.
        dropout: before the labels.
    """

    width: float = 1.0
    shape: tuple[int, int, int] = (1, 43, 128)
    dropout: float = 0.5


class HanTrunk(nn.Sequential):
    """The four blocks, and the layer of units: [W, C, rows, columns] -> [W, units].

    Args:
        n_channels: of the input.
        width: factor of the channels and units.
    """

    def __init__(self, n_channels: int, width: float) -> None:
        sizes = (n_channels, *(max(4, round(width * size)) for size in CHANNELS))
        layers: list[nn.Module] = [Standardised(n_channels)]
        for block, (n_in, n_out) in enumerate(pairwise(sizes)):
            for first in (n_in, n_out):
                layers += [nn.Conv2d(first, n_out, 3, padding=2), nn.LeakyReLU(SLOPE)]
            if block < len(CHANNELS) - 1:
                layers += [nn.MaxPool2d(3), nn.Dropout(0.25)]
        self.n_units = max(16, round(width * UNITS))
        layers += [nn.AdaptiveMaxPool2d(1), nn.Flatten()]
        layers += [nn.Linear(sizes[-1], self.n_units), nn.LeakyReLU(SLOPE)]
        super().__init__(*layers)
        for layer in self:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Computes the units; channels lie last in memory, which takes a fifth less time on a CPU."""
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self:
            x = layer(x)
        return x

    def _get_name(self) -> str:
        return f"HanTrunk({self.n_units})"


class HanConvNet(WindowModel):
    """The network; see the module."""

    def __init__(self, config: HanConfig, n_labels: int = N_LABELS) -> None:
        super().__init__(config.shape, n_labels)
        self.trunk = HanTrunk(config.shape[0], config.width)
        self.drop = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(self.trunk.n_units, n_labels)

    def windows(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Computes logits [W, L] of windows."""
        return self.classifier(self.drop(self.trunk(x))), {}


def summed_scores(windows: Array) -> Array:
    """Sums the scores [n, N, L] of windows and divides them by each clip's largest: [n, L] (S2)."""
    total = torch.from_numpy(windows).sum(1)
    scaled: Array = (total / total.amax(1, keepdim=True).clamp(min=1e-6)).numpy()
    return scaled
