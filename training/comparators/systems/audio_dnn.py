"""Audio DNN: a network on the raw waveform. The paper does not say which; the published size is that
of Li, Qian, Wang, "Automatic Instrument Recognition in Polyphonic Music Using Convolutional Neural
Networks" (arXiv 1511.05520).

Published (``stem = "li"``): one second at 44.1 kHz, two channels; convolutions of 256 x 3101, 384 x
300 and 384 x 20 with ReLU and max-pooling 40/20, 30/20 and 8/4; 400 units, dropout 0.5: 36.5 M
parameters with 11 labels. It reads one second of samples at whatever rate and channels its
``shape`` says.

Our reconstruction for two cores (``stem = "strided"``): mono at 16 kHz; a convolution of 400
samples with stride 20, then five of 9 with batch normalisation, ReLU and max-pooling 3, and the
maximum over time: 0.6 M parameters.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import msgspec
from torch import Tensor, nn

from mmgat.model.labels import N_LABELS
from mmgat.training.comparators.windows import WindowModel


class AudioConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes of the network.

    Attributes:
        stem: which of the two networks.
        shape: channels and samples of a window.
        channels: of the strided network.
    """

    stem: Literal["strided", "li"] = "strided"
    shape: tuple[int, int] = (1, 16_000)
    channels: tuple[int, ...] = (64, 64, 128, 128, 256)


class AudioDNN(WindowModel):
    """The network; see the module."""

    def __init__(self, config: AudioConfig, n_labels: int = N_LABELS) -> None:
        super().__init__(config.shape, n_labels)
        n_channels, n_samples = config.shape
        self.layers = (
            _li(n_channels, n_samples)
            if config.stem == "li"
            else _strided(n_channels, config.channels)
        )
        self.classifier = nn.Linear(400 if config.stem == "li" else config.channels[-1], n_labels)

    def windows(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Computes logits [W, L] of windows [W, channels, samples]."""
        return self.classifier(self.layers(x)), {}


def _li(n_channels: int, n_samples: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    sizes = ((n_channels, 256, 3101, 40, 20), (256, 384, 300, 30, 20), (384, 384, 20, 8, 4))
    length = n_samples
    for n_in, n_out, kernel, pool, stride in sizes:
        layers += [nn.Conv1d(n_in, n_out, kernel), nn.ReLU(), nn.MaxPool1d(pool, stride)]
        length = (length - kernel + 1 - pool) // stride + 1
    layers += [nn.Flatten(), nn.Dropout(0.5), nn.Linear(384 * length, 400), nn.ReLU()]
    return nn.Sequential(*layers)


def _strided(n_channels: int, channels: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv1d(n_channels, channels[0], 400, stride=20, padding=200, bias=False),
        nn.BatchNorm1d(channels[0]),
        nn.ReLU(),
    ]
    for n_in, n_out in pairwise((channels[0], *channels)):
        layers += [
            nn.Conv1d(n_in, n_out, 9, padding=4, bias=False),
            nn.BatchNorm1d(n_out),
            nn.ReLU(),
            nn.MaxPool1d(3, ceil_mode=True),
        ]
    return nn.Sequential(*layers, nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Dropout(0.3))
