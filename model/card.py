"""The card of a checkpoint: what a model is, what made it, and how good it is. Needs no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from mmgat.model.errors import CheckpointError
from mmgat.model.labels import LABELS

FORMAT: Final = 2


@dataclass(frozen=True)
class Card:
    """What stands in the JSON file beside the weights.

    Attributes:
        name, version: of the model.
        embedder, variant: the space its rows lie in.
        mmgat: the network's configuration.
        thresholds: label -> score at which an instrument counts as sounding.
        unverified: labels without recorded training data; shown as such.
        text_encoder: what embedded the label names.
        training_data: rows of {"source", "licence", "minutes" or "clips"}.
        metrics: rows of {"name", "value", "on", "command"}.
        notes: known weaknesses and anything a user should know.
        sha256: of the safetensors file.
    """

    name: str
    version: str
    embedder: str
    variant: str
    mmgat: dict[str, Any]
    thresholds: dict[str, float]
    labels: tuple[str, ...] = LABELS
    unverified: tuple[str, ...] = ()
    text_encoder: str = ""
    training_data: tuple[dict[str, Any], ...] = ()
    metrics: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    format: int = FORMAT
    sha256: str = field(default="")


def checkpoint_path(model: str | Path) -> Path:
    """The safetensors file of a shipped model's name or of a path (either file, or without suffix).

    Raises:
        CheckpointError: nothing there.
    """
    shipped = Path(str(files("mmgat.model") / "weights"))
    names = sorted(path.stem for path in shipped.glob("*.safetensors"))
    path = shipped / f"{model}.safetensors" if str(model) in names else Path(model)
    if path.suffix in ("", ".json"):
        path = path.with_suffix(".safetensors")
    if not path.is_file():
        raise CheckpointError(
            f"expected a model of {names} or the path of a .safetensors checkpoint, "
            f"found no file {str(path)!r}"
        )
    return path


def read_card(path: Path) -> Card:
    """The card beside a checkpoint file.

    Raises:
        CheckpointError: no card, not JSON, another format or label set.
    """
    card_path = path.with_suffix(".json")
    try:
        values = json.loads(card_path.read_text("utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"expected a card {str(card_path)!r} beside {path.name}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{card_path} is damaged, not JSON: {error}") from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        found = values.get("format") if isinstance(values, dict) else type(values).__name__
        raise CheckpointError(
            f"{card_path}: expected checkpoint format {FORMAT}, found {found!r}: "
            "use a checkpoint of this version of mmgat-stream, or upgrade"
        )
    if tuple(values.get("labels", ())) != LABELS:
        raise CheckpointError(
            f"{card_path}: expected the labels {', '.join(LABELS)}; "
            f"found {', '.join(map(str, values.get('labels', ()))) or 'none'}"
        )
    sequences = ("labels", "unverified", "training_data", "metrics", "notes")
    try:
        return Card(**(values | {key: tuple(values[key]) for key in sequences if key in values}))
    except TypeError as error:
        raise CheckpointError(f"{card_path} is no card of this format: {error}") from None


def checked_card(model: str | Path) -> tuple[Path, Card]:
    """The safetensors file of a name or path, found whole, and its card.

    Raises:
        CheckpointError: missing, damaged, foreign, or thresholds are missing.
    """
    path = checkpoint_path(model)
    card = read_card(path)
    found = sha256_of(path)
    if card.sha256 != found:
        raise CheckpointError(
            f"{path} is damaged or not the file of its card: expected sha256 {card.sha256[:12]}…, "
            f"found {found[:12]}…: fetch both files again"
        )
    if missing := [label for label in LABELS if label not in card.thresholds]:
        raise CheckpointError(f"{path.with_suffix('.json')}: no thresholds for {missing}")
    return path, card


def check_embedding_space(card: Card, embedder: str, variant: str) -> None:
    """Refuses to read embeddings of one space with a network trained on another.

    Raises:
        CheckpointError: embedder or variant differ.
    """
    if (card.embedder, card.variant) != (embedder, variant):
        raise CheckpointError(
            f"checkpoint {card.name!r} was trained on embeddings of {card.embedder} "
            f"({card.variant}), found those of {embedder} ({variant}): use them with their own "
            "checkpoint"
        )


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
