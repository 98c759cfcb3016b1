"""The protocol of an embedder: one log-mel example in, one 128-d row out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from torch import Tensor

EMBEDDING_SIZE: Final = 128


class Embedder(Protocol):
    """Turns log-mel examples into graph nodes.

    ``name`` and ``variant`` together say which space the rows lie in; a checkpoint carries both and
    is refused with any other.
    """

    name: str
    variant: str

    def __call__(self, log_mel: Tensor) -> Tensor:
        """float32 [B, 96, 64] -> float32 [B, 128]."""
        ...
