"""Timbre similarity between embedding rows, behind one signature.

Every metric maps rows a [..., n, d] and b [..., m, d] to similarities [..., n, m] with 1 for equal
rows, so a new node of a rolling graph costs one call with n = 1. Rows are centred (an embedder
returns them so); raw 8-bit VGGish rows would all look alike under cosine.

Source: the paper builds edges from a "weighted similarity" of rows, tried cosine and EMD, and chose
cosine; the Gaussian kernel, the correlation and how a row becomes a distribution are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

Similarity = Callable[[Tensor, Tensor], Tensor]


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of the angle between rows, in [-1, 1]; 0 against an all-zero row."""
    return normalize(a, dim=-1) @ normalize(b, dim=-1).transpose(-1, -2)


def pearson(a: Tensor, b: Tensor) -> Tensor:
    """Correlation of the rows' entries, in [-1, 1]."""
    return cosine(a - a.mean(-1, keepdim=True), b - b.mean(-1, keepdim=True))


def euclidean(a: Tensor, b: Tensor) -> Tensor:
    """Gaussian kernel exp(-|a - b|^2 / 2d) of the Euclidean distance, in (0, 1]."""
    squared = (a.unsqueeze(-2) - b.unsqueeze(-3)).square().mean(-1)
    return torch.exp(-squared / 2)


def emd(a: Tensor, b: Tensor) -> Tensor:
    """1 / (1 + EMD) of rows taken as distributions over their entries (softmax), in (0, 1].

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
    """The metric of that name.

    Raises:
        ValueError: no such metric; the message lists them.
    """
    if name not in SIMILARITIES:
        raise ValueError(f"expected a similarity of {sorted(SIMILARITIES)}, found {name!r}")
    return SIMILARITIES[name]
