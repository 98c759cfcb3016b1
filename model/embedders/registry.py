"""The embedder that belongs to a checkpoint."""

from __future__ import annotations

from pathlib import Path

from mmgat.model.card import check_embedding_space
from mmgat.model.checkpoint import Checkpoint
from mmgat.model.embedders.base import Embedder
from mmgat.model.embedders.compact import CompactEmbedder
from mmgat.model.embedders.vggish import load_vggish
from mmgat.model.errors import CheckpointError


def embedder_of(checkpoint: Checkpoint, weights: Path | None = None) -> Embedder:
    """The embedder whose rows a checkpoint's MMGAT reads, in evaluation mode.

    Args:
        weights: VGGish's published files, where torch.hub's cache has them not.

    Raises:
        ModelError: the card names another embedder, or its weights are not to be had.
    """
    card = checkpoint.card
    if card.embedder == "vggish":
        return load_vggish(card.variant, weights)
    if card.embedder != CompactEmbedder.name:
        raise CheckpointError(
            f"expected an embedder of compact or vggish in the card of {card.name!r}, "
            f"found {card.embedder!r}"
        )
    embedder = CompactEmbedder()
    check_embedding_space(card, embedder.name, embedder.variant)
    try:
        embedder.load_state_dict(checkpoint.embedder_state)
    except RuntimeError as error:
        raise CheckpointError(f"the embedder in {card.name!r} does not fit: {error}") from None
    return embedder.fused()
