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
        mask_ratio: share of the entries zeroed for the reconstruction. The table in use comes from
            the whole text: masked, it costs 0.015 of mean average precision.
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
        """Label embeddings [L, size]."""
        return self._encode(self.text)

    def reconstruction_error(self) -> Tensor:
        """1 - mean cosine of the text and its reconstruction from a randomly masked copy."""
        keep = torch.rand_like(self.text) >= self.mask_ratio
        decoded = self.decoder(self._encode(self.text * keep / (1 - self.mask_ratio)))
        return 1 - (nn.functional.normalize(decoded, dim=-1) * self.text).sum(-1).mean()

    def _encode(self, text: Tensor) -> Tensor:
        table: Tensor = self.encoder(text * text.shape[1] ** 0.5)  # unit variance goes in
        return table
