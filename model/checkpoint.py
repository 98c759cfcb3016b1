"""Checkpoints: one safetensors file and one JSON card beside it. No pickle.

``compact`` carries its embedder; ``vggish`` carries MMGAT only, its embedder's weights being
Google's. The card says what the file is, what made it and how good it is.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.errors import CheckpointError
from model.labels import LABELS
from model.mmgat import MMGAT, MMGATConfig

FORMAT: Final = 2
MMGAT_PREFIX: Final = "mmgat."
EMBEDDER_PREFIX: Final = "embedder."


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


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model: its card, MMGAT ready for inference, and the embedder's tensors if carried."""

    card: Card
    mmgat: MMGAT
    embedder_state: dict[str, Tensor]


def checkpoint_path(model: str | Path) -> Path:
    """The safetensors file of a shipped model's name or of a path (either file, or without suffix).

    Raises:
        CheckpointError: nothing there.
    """
    shipped = Path(str(files("model") / "weights"))
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


def load_checkpoint(model: str | Path) -> Checkpoint:
    """A checkpoint by name or path, checked against its card's hash.

    Raises:
        CheckpointError: missing, damaged, foreign, or not what its card says.
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
    try:
        tensors = load_file(path)
        config = MMGATConfig.from_dict(card.mmgat)
        mmgat_state = _with_prefix(tensors, MMGAT_PREFIX)
        mmgat = MMGAT(config, mmgat_state["labels.text"])
        mmgat.load_state_dict(mmgat_state)
    except (SafetensorError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise CheckpointError(f"{path} does not fit its card: {error}") from None
    return Checkpoint(card, mmgat.eval(), _with_prefix(tensors, EMBEDDER_PREFIX))


def save_checkpoint(
    path: Path, card: Card, mmgat: MMGAT, embedder_state: dict[str, Tensor] | None = None
) -> Card:
    """Writes ``path`` (.safetensors) and its card; returns the card with the file's hash."""
    tensors = {MMGAT_PREFIX + key: value for key, value in mmgat.state_dict().items()}
    tensors |= {EMBEDDER_PREFIX + key: value for key, value in (embedder_state or {}).items()}
    path = path.with_suffix(".safetensors")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, path)
    values = card.__dict__ | {"mmgat": mmgat.config.to_dict(), "sha256": sha256_of(path)}
    text = json.dumps(values, indent=1, ensure_ascii=False)
    path.with_suffix(".json").write_text(text + "\n", "utf-8")
    return read_card(path)


def require_space(card: Card, embedder: str, variant: str) -> None:
    """Refuses to read rows of one embedding space with a network trained on another.

    Raises:
        CheckpointError: embedder or variant differ.
    """
    if (card.embedder, card.variant) != (embedder, variant):
        raise CheckpointError(
            f"checkpoint {card.name!r} was trained on rows of {card.embedder} ({card.variant}), "
            f"found rows of {embedder} ({variant}): use them with their own checkpoint"
        )


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
