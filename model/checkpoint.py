"""Checkpoints: one safetensors file and one JSON card beside it. No pickle.

``compact`` carries its embedder; ``vggish`` carries MMGAT only, its embedder's weights being
Google's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from mmgat.model.card import Card, checked_card, read_card, sha256_of, write_card
from mmgat.model.embedders.registry import spec_of
from mmgat.model.errors import CheckpointError
from mmgat.model.mmgat import MMGAT, MMGATConfig

MMGAT_PREFIX: Final = "mmgat."
EMBEDDER_PREFIX: Final = "embedder."


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model.

    Attributes:
        card: what the model is.
        mmgat: ready for inference.
        embedder_state: the embedder's tensors by name; empty if the checkpoint carries none.
    """

    card: Card
    mmgat: MMGAT
    embedder_state: dict[str, Tensor]

    def embedder(self, weights: Path | None = None) -> nn.Module:
        """The embedder whose embeddings MMGAT reads, in evaluation mode.

        Args:
            weights: published weights of an embedder that the checkpoint does not carry, where
                they do not lie in their usual place.

        Raises:
            ModelError: the card names another embedder, or its weights are not to be had.
        """
        return spec_of(self.card).load(self.embedder_state, self.card.variant, weights)


def load_checkpoint(model: str | Path) -> Checkpoint:
    """A checkpoint by name or path, checked against its card's hash.

    Raises:
        CheckpointError: missing, damaged, foreign, or not what its card says.
    """
    return read_checkpoint(*checked_card(model))


def read_checkpoint(path: Path, card: Card) -> Checkpoint:
    """The tensors of a safetensors file that ``checked_card`` has found whole.

    Raises:
        CheckpointError: they are not what the card says.
    """
    try:
        tensors = load_file(path)
        config = MMGATConfig.from_dict(card.mmgat)
        mmgat_state = _with_prefix(tensors, MMGAT_PREFIX)
        mmgat = MMGAT(config, mmgat_state.get("labels.text"))
        mmgat.load_state_dict(mmgat_state)
    except (SafetensorError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise CheckpointError(f"{path} does not fit its card: {error}") from None
    if wrong := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise CheckpointError(
            f"{path}: expected finite weights, found NaN or infinity in {wrong[0]}"
        )
    return Checkpoint(card, mmgat.eval(), _with_prefix(tensors, EMBEDDER_PREFIX))


def save_checkpoint(
    path: Path, card: Card, mmgat: MMGAT, embedder_state: dict[str, Tensor] | None = None
) -> Card:
    """Writes ``path`` (.safetensors) and its card; returns the card with the file's hash."""
    tensors = {MMGAT_PREFIX + key: value for key, value in mmgat.state_dict().items()}
    tensors |= {EMBEDDER_PREFIX + key: value for key, value in (embedder_state or {}).items()}
    path = path.with_suffix(".safetensors")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_tensors(tensors, path)
    described = msgspec.structs.replace(
        card, mmgat=mmgat.config.to_dict(), sha256=sha256_of(path), graphs={}
    )
    write_card(path, described)
    return read_card(path)


def save_tensors(
    tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Writes a safetensors file that all may read whom the user's umask lets.

    safetensors' own writer lets nobody else read a file, whatever the umask says.
    """
    plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    path.write_bytes(save(plain, metadata))


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
