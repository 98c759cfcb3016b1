"""Timbre similarity between embeddings, behind one signature.

Every metric maps embeddings a [..., n, d] and b [..., m, d] to similarities [..., n, m], which are 1
for equal embeddings, so a new node of a rolling graph costs one call with n = 1. Embeddings are
centred (an embedder returns them so); all raw 8-bit VGGish embeddings would be alike under cosine.

Source: the paper builds edges from a "weighted similarity" of embeddings, tried cosine and EMD, and
chose cosine; the Gaussian kernel, the correlation and the distribution of an embedding are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

Similarity = Callable[[Tensor, Tensor], Tensor]


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of the angle between embeddings, in [-1, 1]; 0 against an all-zero one."""
    return normalize(a, dim=-1) @ normalize(b, dim=-1).transpose(-1, -2)


def pearson(a: Tensor, b: Tensor) -> Tensor:
    """Pearson correlation of the embeddings' entries, in [-1, 1]."""
    return cosine(a - a.mean(-1, keepdim=True), b - b.mean(-1, keepdim=True))


def euclidean(a: Tensor, b: Tensor) -> Tensor:
    """Gaussian kernel exp(-|a - b|^2 / 2d) of the Euclidean distance, in (0, 1]."""
    squared = (a.unsqueeze(-2) - b.unsqueeze(-3)).square().mean(-1)
    return torch.exp(-squared / 2)


def emd(a: Tensor, b: Tensor) -> Tensor:
    """1 / (1 + EMD) of the softmax of embeddings, as distributions over their entries, in (0, 1].

    In one dimension the Earth Mover's Distance is the L1 distance of the cumulative sums.
    """
    cumulative_a = torch.softmax(a, -1).cumsum(-1)
    cumulative_b = torch.softmax(b, -1).cumsum(-1)
    return 1.0 / (1.0 + (cumulative_a.unsqueeze(-2) - cumulative_b.unsqueeze(-3)).abs().sum(-1))


SIMILARITIES: Final[dict[str, Similarity]] = {
    "cosine": cosine,
    "emd": emd,
    "euclidean": euclidean,
    "pearson": pearson,
}


def similarity_named(name: str) -> Similarity:
    """Returns the metric of that name.

    Raises:
        ValueError: no such metric; the message lists them.
    """
    if name not in SIMILARITIES:
        raise ValueError(f"expected a similarity of {sorted(SIMILARITIES)}, found {name!r}")
    return SIMILARITIES[name]
