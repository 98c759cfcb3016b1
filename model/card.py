"""The card of a checkpoint: what a model is, what made it, and how good it is. Needs no torch."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from mmgat.model.errors import CheckpointError
from mmgat.model.labels import LABELS

FORMAT: Final = 3

Sensitivity = Literal["low", "normal", "high"]
Probability = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class OperatingPoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds chosen together, and what they came to on held-out sound.

    Attributes:
        thresholds: label -> score at which an instrument counts as sounding.
        figures: name -> value, such as precision, recall and false events an hour.
        on: the sound that the figures are of.
    """

    thresholds: dict[str, Probability]
    figures: dict[str, float] = {}
    on: str = ""


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What stands in the JSON file beside the weights.

    Attributes:
        name, version: of the model.
        embedder, variant: the embedding space that MMGAT reads.
        mmgat: the network's configuration.
        thresholds: label -> score at which an instrument counts as sounding, at normal sensitivity.
        operating_points: thresholds of other sensitivities, and the figures of each.
        unverified: labels without recorded training data; shown as such.
        text_encoder: what embedded the label names.
        training_data: rows of {"source", "licence", "minutes" or "clips"}.
        metrics: rows of {"name", "value", "on", "command"}.
        notes: known weaknesses and anything a user should know.
        credits: whose work the weights started from, with its licence.
        sha256: of the safetensors file.
        graphs: ``dense.onnx``, ``sparse.onnx``, ``whole.onnx`` and, of a carried embedder,
            ``embedder.onnx``, the exported graphs -> sha256 of each file.
    """

    name: str
    version: str
    embedder: str
    variant: str
    mmgat: dict[str, Any]
    thresholds: dict[str, Probability]
    operating_points: dict[Sensitivity, OperatingPoint] = {}
    labels: tuple[str, ...] = LABELS
    unverified: tuple[str, ...] = ()
    text_encoder: str = ""
    training_data: tuple[dict[str, Any], ...] = ()
    metrics: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    credits: tuple[str, ...] = ()
    format: int = FORMAT
    sha256: str = ""
    graphs: dict[str, str] = {}

    def thresholds_at(self, sensitivity: Sensitivity) -> dict[str, float]:
        """Thresholds of an operating point.

        Raises:
            CheckpointError: the model has no such operating point.
        """
        if sensitivity == "normal":
            return dict(self.thresholds)
        if sensitivity not in self.operating_points:
            raise CheckpointError(
                f"expected a model with thresholds for {sensitivity} sensitivity, found none in the "
                f"card of {self.name!r}: use --sensitivity normal, or --threshold LABEL=SCORE"
            )
        return dict(self.operating_points[sensitivity].thresholds)


def checkpoint_path(model: str | Path) -> Path:
    """The safetensors file of a shipped model's name or of a path (either file, or without suffix).

    Raises:
        CheckpointError: nothing there.
    """
    shipped = Path(str(files("mmgat.model") / "weights"))
    names = sorted(path.stem for path in shipped.glob("*.safetensors"))
    path = shipped / f"{model}.safetensors" if str(model) in names else Path(model)
    if path.name and path.suffix in ("", ".json"):
        path = path.with_suffix(".safetensors")
    if not path.is_file():
        raise CheckpointError(
            f"expected a model of {', '.join(names)} or the path of a .safetensors checkpoint, "
            f"found no file {str(model)!r}"
        )
    return path


def read_card(path: Path) -> Card:
    """The card beside a checkpoint file.

    Raises:
        CheckpointError: no card, not JSON, another format or label set, or values out of range.
    """
    card_path = path.with_suffix(".json")
    try:
        text = card_path.read_bytes()
    except OSError:
        raise CheckpointError(f"expected a card {str(card_path)!r} beside {path.name}") from None
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{card_path} is damaged, not JSON: {error}") from None
    found = values.get("format") if isinstance(values, dict) else type(values).__name__
    if found != FORMAT:
        raise CheckpointError(
            f"{card_path}: expected checkpoint format {FORMAT}, found {found!r}: "
            "use a checkpoint of this version of mmgat-stream, or upgrade"
        )
    try:
        card = msgspec.convert(values, Card)
    except msgspec.ValidationError as error:
        raise CheckpointError(f"{card_path} is no card of this format: {error}") from None
    if card.labels != LABELS:
        raise CheckpointError(
            f"{card_path}: expected the labels {', '.join(LABELS)}; "
            f"found {', '.join(card.labels) or 'none'}"
        )
    return card


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def write_card(path: Path, card: Card) -> None:
    """Writes the card beside a checkpoint file."""
    text = json.dumps(msgspec.to_builtins(card), indent=1, ensure_ascii=False)
    path.with_suffix(".json").write_text(text + "\n", "utf-8")


def checked_card(model: str | Path) -> tuple[Path, Card]:
    """The safetensors file of a name or path, found whole, and its card.

    Raises:
        CheckpointError: missing, damaged, foreign, or thresholds are missing.
    """
    path = checkpoint_path(model)
    card = read_card(path)
    check_hash(path, card.sha256)
    points = {"thresholds": card.thresholds} | {
        f"thresholds at {name} sensitivity": point.thresholds
        for name, point in card.operating_points.items()
    }
    for name, thresholds in points.items():
        if missing := [label for label in LABELS if label not in thresholds]:
            raise CheckpointError(f"{path.with_suffix('.json')}: no {name} for {missing}")
    return path, card


def check_hash(path: Path, expected: str) -> None:
    """Refuses a file that is not the one its card was written for.

    Raises:
        CheckpointError: the hashes differ.
    """
    found = sha256_of(path)
    if expected != found:
        raise CheckpointError(
            f"{path} is damaged or not the file of its card: expected sha256 "
            f"{expected[:12] or 'none'}…, found {found[:12]}…: fetch all files of the model again"
        )


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
