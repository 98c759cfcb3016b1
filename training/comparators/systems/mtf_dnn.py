"""MTF-DNN: a deep network on musical texture features, as Reghunath & Rajan, "Transformer-based
ensemble method for multiple predominant instruments recognition in polyphonic music" (EURASIP
JASMP 2022), compare with.

Input: mean and deviation of 29 texture features in one second, 58 numbers. Known: MFCC, centroid,
bandwidth, RMS, roll-off and chroma, frames of 40 ms, hop 10 ms; a few dense layers with ReLU. Our
reconstruction: batch normalisation, 512-256-128 units, dropout 0.3, a sigmoid a label; the mean of
the seconds is the clip's score.
"""

from __future__ import annotations

import msgspec
from torch import Tensor, nn

from mmgat.model.labels import N_LABELS
from mmgat.training.comparators.networks import hidden_layers
from mmgat.training.comparators.windows import WindowModel


class TextureConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes of the network."""

    units: tuple[int, ...] = (512, 256, 128)
    dropout: float = 0.3


class TextureDNN(WindowModel):
    """The network; see the module."""

    def __init__(self, config: TextureConfig) -> None:
        super().__init__((58,))
        self.norm = nn.BatchNorm1d(58)
        self.layers = hidden_layers((58, *config.units), config.dropout)
        self.classifier = nn.Linear(config.units[-1], N_LABELS)

    def windows(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Computes logits [W, 20] of windows."""
        return self.classifier(self.layers(self.norm(x))), {}
