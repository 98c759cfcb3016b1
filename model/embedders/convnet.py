"""A small plain convolutional network (ours), which is trained from nothing in some hours.

Plain strided 3x3 convolutions in channels-last order: on CPUs they run several times faster than
the depthwise networks that are cheaper on paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mmgat.model.embedders.base import EMBEDDING_SIZE, fill


def _block(n_in: int, n_out: int, size: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, size, stride=stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    )


class ConvNetEmbedder(nn.Module):
    """VGGish-like embedding with 1/140 of VGGish's parameters.

    Shapes: float32 [B, 96, 64] -> float32 [B, 128]. Frequency is kept apart until the last
    layers (it tells instruments apart), then time is pooled by mean and maximum.

    Args:
        widths: channels of the blocks; each but the last halves both axes. The last sees single
            places: 3x3 there would be more weights than all others have, for a map of 3x2.
    """

    name = "convnet"
    variant = "convnet-2"

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 128, 192, 256)) -> None:
        super().__init__()
        n_halvings = len(widths) - 1
        sizes, strides = [3] * n_halvings + [1], [2] * n_halvings + [1]
        channels = (1, *widths)
        self.input_norm = nn.BatchNorm1d(64)
        self.blocks = nn.Sequential(*map(_block, channels, widths, sizes, strides))
        self.to_embedding = nn.Linear(2 * 2 * widths[-1], EMBEDDING_SIZE)
        self.output_norm = nn.BatchNorm1d(EMBEDDING_SIZE)
        self.to(memory_format=torch.channels_last)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Log-mel float32 [B, 96, 64] -> embeddings float32 [B, 128]."""
        x = self.input_norm(log_mel.transpose(1, 2)).transpose(1, 2)
        x = self.blocks(x.unsqueeze(1).contiguous(memory_format=torch.channels_last))
        all_time = (x.shape[2], 1)
        over_time = torch.cat([avg_pool2d(x, all_time), max_pool2d(x, all_time)], dim=1)
        embedding: Tensor = self.output_norm(self.to_embedding(over_time.flatten(1)))
        return embedding

    def fused(self) -> ConvNetEmbedder:
        """The same function in fewer steps, for evaluation: normalisation within the convolutions."""
        fused = deepcopy(self.eval())
        blocks: list[nn.Sequential] = []
        for block in fused.blocks:
            conv, norm, relu = block.children()
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            blocks.append(nn.Sequential(fuse_conv_bn_eval(conv, norm), relu))
        fused.blocks = nn.Sequential(*blocks)
        return fused.to(memory_format=torch.channels_last)


def load_convnet(
    state: Mapping[str, Tensor], variant: str, weights: Path | None = None
) -> ConvNetEmbedder:
    """The embedder of a checkpoint's tensors, for evaluation.

    Raises:
        CheckpointError: the tensors are not this embedder's.
    """
    embedder = ConvNetEmbedder()
    fill(embedder, state)
    return embedder.fused()
