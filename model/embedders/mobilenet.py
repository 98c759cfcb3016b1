"""MobileNetV3 of width 0.4 on spectrograms, as EfficientAT's mn04_as, without its classifier.

Source: Howard et al. 2019 (MobileNetV3-Large); EfficientAT (Schmid et al. 2023) for the width and
the one input channel. Normalisation is folded into the convolutions, as in evaluation: the network
is trained on from there.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from torch import Tensor, nn

N_FEATURES: Final = 384
STEM: Final = 8


class Block(NamedTuple):
    """An inverted residual: channels inside and out, kernel, stride, whether squeezed and excited."""

    inner: int
    n_out: int
    kernel: int = 3
    stride: int = 1
    excited: bool = False
    smooth: bool = False


BLOCKS: Final = (
    Block(8, 8),
    Block(24, 16, stride=2),
    Block(32, 16),
    Block(32, 16, 5, 2, excited=True),
    Block(48, 16, 5, excited=True),
    Block(48, 16, 5, excited=True),
    Block(96, 32, stride=2, smooth=True),
    Block(80, 32, smooth=True),
    Block(72, 32, smooth=True),
    Block(72, 32, smooth=True),
    Block(192, 48, excited=True, smooth=True),
    Block(272, 48, excited=True, smooth=True),
    Block(272, 64, 5, 2, excited=True, smooth=True),
    Block(384, 64, 5, excited=True, smooth=True),
    Block(384, 64, 5, excited=True, smooth=True),
)


def _divisible(channels: float, by: int = 8) -> int:
    """The nearest multiple that is not more than a tenth smaller."""
    rounded = max(by, int(channels + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * channels else rounded


class Excitation(nn.Module):
    """Squeeze and excitation: every channel weighed by what all channels are on average.

    Shapes: [B, C, F, T] -> the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = _divisible(channels // 4)
        self.squeeze = nn.Conv2d(channels, inner, 1)
        self.excite = nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Scales the channels of float32 [B, C, H, W] by what is in all of them."""
        weights = self.squeeze(x.mean(dim=(2, 3), keepdim=True)).relu()
        scaled: Tensor = x * self.excite(weights).sigmoid()
        return scaled


class InvertedResidual(nn.Module):
    """Widened, filtered channel by channel, weighed, narrowed, and added where shapes allow."""

    def __init__(self, n_in: int, block: Block) -> None:
        super().__init__()
        activation = nn.Hardswish if block.smooth else nn.ReLU
        layers: list[nn.Module] = []
        if block.inner != n_in:
            layers += [nn.Conv2d(n_in, block.inner, 1), activation()]
        layers += [
            nn.Conv2d(
                block.inner,
                block.inner,
                block.kernel,
                block.stride,
                block.kernel // 2,
                groups=block.inner,
            ),
            activation(),
        ]
        if block.excited:
            layers.append(Excitation(block.inner))
        self.layers = nn.Sequential(*layers, nn.Conv2d(block.inner, block.n_out, 1))
        self.adds = block.stride == 1 and n_in == block.n_out

    def forward(self, x: Tensor) -> Tensor:
        """Maps float32 [B, C, H, W], and adds its input where the shapes are equal."""
        y: Tensor = self.layers(x)
        return x + y if self.adds else y


class SpectrogramMobileNet(nn.Module):
    """Log-mel float32 [B, T, 128] -> features float32 [B, 384], averaged over time and frequency."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(1, STEM, 3, 2, 1), nn.Hardswish()]
        n_in = STEM
        for block in BLOCKS:
            layers.append(InvertedResidual(n_in, block))
            n_in = block.n_out
        self.layers = nn.Sequential(*layers, nn.Conv2d(n_in, N_FEATURES, 1), nn.Hardswish())

    def forward(self, log_mel: Tensor) -> Tensor:
        """Computes features float32 [B, 384] of log-mel float32 [B, frames, 128]."""
        features: Tensor = self.layers(log_mel.transpose(1, 2).unsqueeze(1)).mean(dim=(2, 3))
        return features
