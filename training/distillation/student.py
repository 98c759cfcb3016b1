"""The compact embedder with the heads that it needs only in training, and its losses (ours)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmgat.model.embedders.base import EMBEDDING_SIZE
from mmgat.model.embedders.convnet import ConvNetEmbedder
from mmgat.model.embedders.log_mel import LOG_OFFSET
from mmgat.model.labels import N_LABELS
from mmgat.training.embedders.mn04 import MN04_FEATURES, N_MN04
from mmgat.training.embedders.yamnet import N_YAMNET

Batch = dict[str, Tensor]


class Student(nn.Module):
    """Embedder and heads: labels and YAMNet's classes of seconds, mn04's classes and features of clips.

    Shapes: log-mel examples float32 [B, T, 96, 64] -> dict of logits ``labels`` [B, T, 20],
    ``yamnet`` [B, T, 521], ``mn04`` [B, 527] and vectors ``mn04_embedding`` [B, 384].
    """

    def __init__(self) -> None:
        super().__init__()
        self.embedder = ConvNetEmbedder()
        self.labels = nn.Linear(EMBEDDING_SIZE, N_LABELS)
        self.yamnet = nn.Linear(EMBEDDING_SIZE, N_YAMNET)
        self.clip_hidden = nn.Linear(EMBEDDING_SIZE, 2 * EMBEDDING_SIZE)
        self.mn04 = nn.Linear(2 * EMBEDDING_SIZE, N_MN04)
        self.attention = nn.Linear(2 * EMBEDDING_SIZE, N_MN04)
        self.mn04_embedding = nn.Linear(4 * EMBEDDING_SIZE, MN04_FEATURES)
        for head, share in ((self.labels, 0.08), (self.yamnet, 0.005), (self.mn04, 0.005)):
            nn.init.constant_(head.bias, math.log(share / (1 - share)))

    def forward(self, log_mel: Tensor) -> Batch:
        """Computes the outputs of all heads; see the class for shapes."""
        embeddings = self.embedder(log_mel.flatten(0, 1)).unflatten(0, log_mel.shape[:2])
        hidden = torch.relu(self.clip_hidden(embeddings))
        attention = self.attention(hidden).softmax(dim=1)
        pooled = torch.cat([hidden.mean(dim=1), hidden.amax(dim=1)], dim=-1)
        return {
            "labels": self.labels(embeddings),
            "yamnet": self.yamnet(embeddings),
            "mn04": (attention * self.mn04(hidden)).sum(dim=1),
            "mn04_embedding": self.mn04_embedding(pooled),
        }


def class_weights(n_classes: int, columns: list[list[int]], emphasis: float = 6.0) -> Tensor:
    """Computes weights [n_classes] of mean 1; classes of the 20 labels count ``emphasis`` times."""
    weights = torch.ones(n_classes)
    weights[[column for group in columns for column in group]] = emphasis
    return weights / weights.mean()


def losses(out: Batch, batch: Batch, yamnet_weights: Tensor, mn04_weights: Tensor) -> Batch:
    """Computes four losses of similar size: exact labels, YAMNet, mn04, mn04's features."""
    bce = functional.binary_cross_entropy_with_logits
    known = batch["known"].float()
    exact = bce(out["labels"], batch["labels"].float(), reduction="none")
    return {
        "labels": 2.0 * (exact * known).sum() / known.sum().clamp(min=1.0),
        "yamnet": 20.0 * bce(out["yamnet"], batch["yamnet"], weight=yamnet_weights),
        "mn04": 20.0 * bce(out["mn04"], batch["mn04"], weight=mn04_weights),
        "features": 1.0
        - functional.cosine_similarity(out["mn04_embedding"], batch["mn04_embedding"]).mean(),
    }


def jitter(log_mel: Tensor, generator: torch.Generator) -> Tensor:
    """Changes clips at random: gain by 6 dB, smooth colour by 5 dB, masked bands and moments.

    Gain and colour act on mel magnitudes, exp(x) - 0.01, so a quieter clip sinks into the offset
    exactly as a quieter recording would. Shapes: [B, T, 96, 64] -> the same.
    """
    n_clips, n_windows, n_frames, n_mels = log_mel.shape

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    knots = (uniform(n_clips, 1, 6) * 2 - 1) * 5.0
    colour_db = functional.interpolate(knots, size=n_mels, mode="linear", align_corners=True)
    gain_db = colour_db.view(n_clips, 1, 1, n_mels) + (uniform(n_clips, 1, 1, 1) * 2 - 1) * 6.0
    magnitude = (log_mel.exp() - LOG_OFFSET).clamp(min=0.0) * 10 ** (gain_db / 20)

    band, frame = torch.arange(n_mels), torch.arange(n_frames)
    first, width = uniform(n_clips, 1, 1, 1) * n_mels, uniform(n_clips, 1, 1, 1) * 10
    magnitude = magnitude.masked_fill((band >= first) & (band < first + width), 0.0)
    start, length = uniform(n_clips, n_windows, 1, 1) * n_frames, uniform(n_clips, n_windows, 1, 1)
    hidden = (frame >= start[..., 0]) & (frame < start[..., 0] + 16 * length[..., 0])
    return (magnitude.masked_fill(hidden.unsqueeze(-1), 0.0) + LOG_OFFSET).log()
