"""The compact embedder: what a network that was trained on AudioSet hears, as one node.

A node holds an embedding, prior logits of the 20 labels, and tags. The network is EfficientAT's
mn04_as (Schmid et al. 2023, MIT), its last blocks trained on here; what is made of its features
and classes is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from mmgat.model.embedders.base import EMBEDDING_SIZE, fill
from mmgat.model.embedders.mobilenet import N_FEATURES, SpectrogramMobileNet
from mmgat.model.embedders.tags import N_TAGS
from mmgat.model.labels import N_LABELS

N_HIDDEN: Final = 512
N_CLASSES: Final = 172
"""AudioSet's classes that are computed: music, instruments, singing, and the tags."""

MOST_CLASSES: Final = 10
"""So many classes mean one label at most; fewer are repeated."""

TAG_CENTRE: Final = -4.0
TAG_SCALE: Final = 4.0
"""Logits of tags are centred and scaled to about the range of the embedding's entries."""


class TaggerEmbedder(nn.Module):
    """Log-mel of two seconds -> a node.

    Shapes: float32 [B, 200, 128] -> float32 [B, 181]: the embedding [128]; prior logits of the
    labels [20], before the graph is seen; logits of the tags [33], such as speech and explosion,
    by which MMGAT knows what is no instrument.
    """

    name = "compact"
    variant = "compact-3"
    label_classes: Tensor
    tag_classes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.network = SpectrogramMobileNet()
        self.hidden = nn.Linear(N_FEATURES, N_HIDDEN)
        self.classes = nn.Linear(N_HIDDEN, N_CLASSES)
        self.embedding = nn.Linear(N_FEATURES, EMBEDDING_SIZE)
        self.prior_scale = nn.Parameter(torch.ones(N_LABELS))
        self.prior_of_classes = nn.Linear(N_CLASSES, N_LABELS, bias=False)
        self.prior_of_features = nn.Linear(N_FEATURES, N_LABELS)
        self.register_buffer(
            "label_classes", torch.zeros(N_LABELS, MOST_CLASSES, dtype=torch.int64)
        )
        self.register_buffer("tag_classes", torch.zeros(N_TAGS, dtype=torch.int64))

    def forward(self, log_mel: Tensor) -> Tensor:
        """Computes nodes float32 [B, 181] of log-mel float32 [B, 200, 128]."""
        features = self.network(log_mel)
        classes = self.classes(nn.functional.hardswish(self.hidden(features)))
        loudest = classes[:, self.label_classes.flatten()].unflatten(1, (N_LABELS, -1)).amax(-1)
        prior = (
            self.prior_scale * loudest
            + self.prior_of_classes(classes)
            + self.prior_of_features(features)
        )
        tags = (classes[:, self.tag_classes] - TAG_CENTRE) / TAG_SCALE
        return torch.cat([self.embedding(features), prior, tags], dim=1)


def load_tagger(
    state: Mapping[str, Tensor], variant: str, weights: Path | None = None
) -> TaggerEmbedder:
    """Builds the embedder of a checkpoint's tensors, for evaluation.

    Raises:
        CheckpointError: the tensors are not this embedder's.
    """
    embedder = TaggerEmbedder()
    fill(embedder, state)
    return embedder.eval()
