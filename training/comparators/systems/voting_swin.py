"""Voting-Swin-T: Reghunath & Rajan, "Transformer-based ensemble method for multiple predominant
instruments recognition in polyphonic music", EURASIP JASMP 2022.

Input: a clip as three images, log-mel, modified group delay and tempogram, each 128 x 128. One Swin
transformer a feature (torchvision's), fitted side by side; their vote is the mean of their
sigmoids, or a majority of their decisions (``vote = "hard"``, for evaluation). The whole clip is
one window, as published: no sliding, no aggregation. Published size: three ``swin_t`` of 27.5 M on
224 x 224 (images are enlarged, their channel repeated).
"""

from __future__ import annotations

from typing import Literal

import msgspec
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models import SwinTransformer

from mmgat.model.labels import N_LABELS
from mmgat.training.comparators.windows import Standardised, WindowLoss, WindowModel, WindowOutput
from mmgat.training.data.bags import Targets

N_IMAGES = 3
IMAGE = 128


class SwinConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes of each of the three transformers.

    Attributes:
        size: rows and columns that the images are resized to.
        patch, embedding, depths, heads, window: as in ``torchvision.models.SwinTransformer``.
        drop_path: stochastic depth.
        vote: how the three are united in evaluation.
    """

    size: int = IMAGE
    patch: int = 8
    embedding: int = 32
    depths: tuple[int, ...] = (2, 2, 2)
    heads: tuple[int, ...] = (2, 4, 8)
    window: int = 4
    drop_path: float = 0.1
    vote: Literal["soft", "hard"] = "soft"


class VotingSwin(WindowModel):
    """The three networks; see the module."""

    def __init__(self, config: SwinConfig, n_labels: int = N_LABELS) -> None:
        super().__init__((N_IMAGES, IMAGE, IMAGE), n_labels)
        self.config = config
        self.norm = Standardised(N_IMAGES)
        self.members = nn.ModuleList(
            SwinTransformer(
                [config.patch] * 2,
                config.embedding,
                list(config.depths),
                list(config.heads),
                [config.window] * 2,
                stochastic_depth_prob=config.drop_path,
                num_classes=n_labels,
            )
            for _ in range(N_IMAGES)
        )

    def windows(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Computes the vote's logits [W, L] of images [W, 3, 128, 128], and each network's."""
        images = self.norm(x)
        if self.config.size != IMAGE:
            images = interpolate(images, (self.config.size,) * 2, mode="bilinear")
        logits = torch.stack(
            [
                member(images[:, index : index + 1].expand(-1, 3, -1, -1))
                for index, member in enumerate(self.members)
            ],
            dim=1,
        )
        votes = logits.sigmoid()
        if self.config.vote == "hard" and not self.training:
            votes = 0.9 * (votes >= 0.5).float() + 0.1 * votes
        return votes.mean(1).clamp(1e-6, 1 - 1e-6).logit(), {"members": logits}


class SwinLoss(nn.Module):
    """The sum of the three networks' cross entropies: each is fitted as if it were alone."""

    def forward(self, network: nn.Module, output: WindowOutput, targets: Targets) -> Tensor:
        """Computes the loss of a batch, a scalar."""
        one, losses = WindowLoss(), []
        for member in output.further["members"].unbind(1):
            logits = output.logits.new_zeros(output.logits.shape)
            logits[output.mask] = member
            real = output.mask.unsqueeze(-1)
            scores = (logits.sigmoid() * real).sum(1) / real.sum(1)
            alone = WindowOutput(scores, scores[:, :0], logits, {}, output.mask)
            losses.append(one(network, alone, targets))
        return torch.stack(losses).sum()
