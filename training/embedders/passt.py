"""PaSST (Koutini et al., "Efficient Training of Audio Transformers with Patchout", Interspeech 2022).

A vision transformer over patches of 16 x 16 of a log-mel spectrogram, with two tokens for classes and
position embeddings of their own for time and for frequency. Its blocks are timm's. Sizes are read
from the tensors; patch-out belongs to training and is not here. Source: kkoutini/passt_hear21
(Apache-2.0), whose network this one must equal.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from mmgat.training.embedders.kaldi import N_BANDS, centred_log_mel
from mmgat.training.embedders.weights import Published, fill, find_weights, load_tensors
from mmgat.training.errors import TrainingDataError

PASST: Final = Published(
    title="PaSST-S",
    file="passt-s-f128-p16-s10-ap.476-swa.pt",
    licence="Apache-2.0",
    source="https://github.com/kkoutini/PaSST/releases/tag/v0.0.1-audioset",
    url="https://github.com/kkoutini/PaSST/releases/download/v0.0.1-audioset/"
    "passt-s-f128-p16-s10-ap.476-swa.pt",
    megabytes=345,
    note="no hash is pinned: its authors publish none and the file could not be fetched here",
)

PATCH: Final = 16
HEAD: Final = 64
"""Entries of an attention head."""


class PaSST(nn.Module):
    """Sound float32 [B, T] at 32 kHz -> the mean of both class tokens, float32 [B, size].

    Args:
        size: of a token.
        depth: number of blocks.
        grid: patches over frequency and, at most, over time.
    """

    def __init__(self, size: int, depth: int, grid: tuple[int, int]) -> None:
        super().__init__()
        rows, columns = grid
        stride = (N_BANDS - PATCH) // (rows - 1)
        norm: Any = partial(nn.LayerNorm, eps=1e-6)
        self.size = size
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(1, size, PATCH, stride)})
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size))
        self.dist_token = nn.Parameter(torch.zeros(1, 1, size))
        self.new_pos_embed = nn.Parameter(torch.zeros(1, 2, size))
        self.freq_new_pos_embed = nn.Parameter(torch.zeros(1, size, rows, 1))
        self.time_new_pos_embed = nn.Parameter(torch.zeros(1, size, 1, columns))
        self.blocks = nn.Sequential(
            *(Block(size, size // HEAD, qkv_bias=True, norm_layer=norm) for _ in range(depth))
        )
        self.norm = norm(size)

    def features(self, log_mel: Tensor) -> Tensor:
        """Computes features [B, size] of log-mel [B, 1, 128, frames]; the end of a long one is cut."""
        patches: Tensor = self.patch_embed["proj"](log_mel)
        patches = patches[..., : self.time_new_pos_embed.shape[-1]]
        patches = patches + self.time_new_pos_embed[..., : patches.shape[-1]]
        tokens = (patches + self.freq_new_pos_embed).flatten(2).transpose(1, 2)
        classes = torch.cat([self.cls_token, self.dist_token], dim=1) + self.new_pos_embed
        tokens = torch.cat([classes.expand(len(tokens), -1, -1), tokens], dim=1)
        both: Tensor = self.norm(self.blocks(tokens))[:, :2]
        return both.mean(1)

    def forward(self, sound: Tensor) -> Tensor:
        """Computes the embeddings."""
        return self.features(centred_log_mel(sound))


def load_passt(weights: Path | None = None) -> PaSST:
    """Loads PaSST from a file of its authors, such as those for AudioSet and OpenMIC.

    Args:
        weights: the file; ``PASST`` from the user's cache, or downloaded, if not given.

    Raises:
        TrainingDataError: it is not there, cannot be fetched, or is of another network.
    """
    path = find_weights(PASST, weights)
    state = load_tensors(path, PASST)
    try:
        size, rows = state["freq_new_pos_embed"].shape[1:3]
        depth = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))
        network = PaSST(size, depth, (rows, state["time_new_pos_embed"].shape[-1]))
    except (KeyError, ValueError, AttributeError) as error:
        raise TrainingDataError(
            f"expected the weights of {PASST.title} in {path}, found none of {error}"
        ) from None
    fill(network, state, path, PASST.title)
    return network
