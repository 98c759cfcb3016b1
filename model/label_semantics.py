"""The masked label semantic autoencoder: what the names of the labels mean, as 128-d vectors.

Source: the paper, 3.2.1 (text embeddings of the labels; encoder and decoder of two layers; masked).
What is masked, and how the table is used at run time, is ours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LabelSemanticAutoencoder(nn.Module):
    """Text embeddings of the labels -> label embeddings, with a reconstruction for training.

    Args:
        text: float32 [L, E], text embeddings of the labels; a constant of the model.
        size: of a label embedding.
        mask_ratio: share of the entries zeroed while training.
    """

    text: Tensor

    def __init__(self, text: Tensor, size: int, mask_ratio: float = 0.3) -> None:
        super().__init__()
        self.register_buffer("text", nn.functional.normalize(text, dim=-1))
        n_text = text.shape[1]
        self.mask_ratio = mask_ratio
        self.encoder = nn.Sequential(nn.Linear(n_text, size), nn.GELU(), nn.Linear(size, size))
        self.decoder = nn.Sequential(nn.Linear(size, size), nn.GELU(), nn.Linear(size, n_text))

    def forward(self) -> Tensor:
        """Label embeddings [L, size]; while training, of a randomly masked text embedding."""
        text = self.text * (self.text.shape[1] ** 0.5)  # unit variance for the first layer
        if self.training:
            keep = torch.rand_like(text) >= self.mask_ratio
            text = text * keep / (1 - self.mask_ratio)
        table: Tensor = self.encoder(text)
        return table

    def reconstruction_error(self, table: Tensor) -> Tensor:
        """1 - mean cosine between decoded label embeddings and the unmasked text: a scalar."""
        decoded = nn.functional.normalize(self.decoder(table), dim=-1)
        return 1 - (decoded * self.text).sum(-1).mean()
