"""The shipped checkpoint ``compact``: the distilled embedder, and MMGAT fitted to its embeddings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from mmgat.model.card import Card
from mmgat.model.checkpoint import load_checkpoint, save_checkpoint
from mmgat.model.embedders.convnet import ConvNetEmbedder
from mmgat.model.mmgat import MMGAT, MMGATConfig
from mmgat.training.data.bags import Bags, load_bags
from mmgat.training.data.label_text import minilm_embeddings
from mmgat.training.distillation.embeddings import load_embedder
from mmgat.training.distillation.sources import heard
from mmgat.training.distillation.targets import SYNTHETIC
from mmgat.training.distillation.workspace import workspace
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.fit import FitSettings, fit, predict, validate
from mmgat.training.fitting.losses import LossWeights, MMGATLoss
from mmgat.training.fitting.thresholds import Seconds, calibrate, raise_for_false_alarms
from mmgat.training.synthesis.render import HELD_OUT

UNVERIFIED: Final = ("accordion", "organ", "ukulele")
"""Labels without recorded training data: two are only rendered, ukulele has no data at all."""

STATE_SIZES: Final = (512, 256)
"""Half of the sizes for VGGish's embeddings: fewer weights to fetch for every window."""

DROPOUTS: Final = (0.1, 0.4)
"""In the graph and in the state; low, since with so many mixtures there is little overfitting."""

PRESENCE: Final = 0.5
"""Weight of the presence loss, which learns from speech and everyday sounds."""

KNOWN_KINDS: Final = (*SYNTHETIC, "sounds", "silence")
"""Kinds of clips with exact labels."""

LOWEST_THRESHOLD: Final = 0.2
"""Lower scores are unreliable on real recordings, whatever is best on the mixtures."""

FALSE_EVENTS_AN_HOUR: Final = 0.5
"""Allowed on held-out sounds: a quarter of the aim for live use, where windows come more often."""

SOUNDFONT_LICENCES: Final = {
    "FluidR3_GM": "MIT",
    "MuseScore_General_Full": "MIT",
    "TimGM6mb": "GPL-2",
}
TEACHERS: Final = (
    {"source": "teacher EfficientAT mn04_as (scores and features)", "licence": "MIT"},
    {"source": "teacher YAMNet (scores)", "licence": "Apache-2.0"},
)


def training_data(
    data: Path, cache: Path, without: str | None = None
) -> tuple[dict[str, Any], ...]:
    """Lists source, licence and minutes of the training data, for the card.

    Raises:
        TrainingDataError: a manifest is missing.
    """
    try:
        rows = heard(data, cache, without)
        fonts = {stem["soundfont"] for stem in json.loads((cache / "stems.json").read_text())}
    except (OSError, KeyError, ValueError) as error:
        raise TrainingDataError(
            f"expected the manifests of {data} and {cache}, found {error}: run collect and render"
        ) from error
    for font in sorted(fonts):
        use = "validation only" if font == HELD_OUT else "rendered"
        licence = SOUNDFONT_LICENCES.get(font, "see the soundfont's own")
        rows.append({"source": f"{use}: soundfont {font}", "licence": licence})
    return (*rows, *TEACHERS)


def merged(rows: tuple[dict[str, Any], ...], begun: Card | None) -> tuple[dict[str, Any], ...]:
    """Adds to the training data those of the checkpoint that the run began with."""
    sources = {row["source"] for row in rows}
    before = begun.training_data if begun else ()
    earlier = tuple(row for row in before if row["source"] not in sources)
    return (*rows, *earlier)


def of_kinds(bags: Bags, path: Path, kinds: tuple[str, ...]) -> Bags:
    """Selects the bags of clips of these kinds; ``path`` is their file."""
    with np.load(path) as file:
        return bags.select(torch.from_numpy(np.isin(file["kind"], kinds)))


def run(
    data: Path,
    cache: Path,
    out: Path,
    settings: FitSettings,
    report: Callable[[str], None] = print,
    init: str | None = None,
    without: str | None = None,
) -> Card:
    """Fits MMGAT, calibrates it and writes ``out``/compact.safetensors with its card.

    Args:
        data: the local data folder, for its manifest.
        cache: has the embeddings and the embedder.
        out: folder of the checkpoint.
        settings: of the training.
        report: takes a line an epoch.
        init: name or path of a checkpoint with whose MMGAT the fit begins. Its embedder, or one
            trained on from it, must have made the embeddings; its training data stay in the card.
        without: source of recordings that embedder and embeddings were made without.

    Raises:
        TrainingDataError: embeddings, embedder or manifests are missing.
        CheckpointError: ``init`` is no checkpoint.
    """
    begun = load_checkpoint(init) if init is not None else None
    folder = workspace(cache, without)
    train = load_bags(folder / "embeddings-train.npz")
    validation_path = folder / "embeddings-validation.npz"
    held_out = load_bags(validation_path)
    validation = of_kinds(held_out, validation_path, KNOWN_KINDS)
    text = minilm_embeddings()
    torch.manual_seed(settings.seed)
    config = MMGATConfig(
        text_size=text.embeddings.shape[1],
        state_sizes=STATE_SIZES,
        graph_dropout=DROPOUTS[0],
        dropout=DROPOUTS[1],
    )
    mmgat = begun.mmgat if begun else MMGAT(config, text.embeddings)
    mmgat = fit(
        mmgat,
        MMGATLoss(mmgat, LossWeights(presence=PRESENCE)),
        train,
        validation,
        settings,
        report=report,
    )
    thresholds = thresholds_of(mmgat, held_out, validation_path)
    embedder = load_embedder(folder / "distil" / "embedder.safetensors")
    card = Card(
        name="compact",
        version="6",
        embedder=ConvNetEmbedder.name,
        variant=ConvNetEmbedder.variant,
        mmgat=mmgat.config.to_dict(),
        thresholds=thresholds,
        unverified=UNVERIFIED,
        text_encoder=text.encoder,
        training_data=merged(training_data(data, cache, without), begun.card if begun else None),
        metrics=tuple(
            {
                "name": f"mAP, {name}",
                "value": round(value, 4),
                "on": f"{len(validation)} held-out mixtures (other notes, another soundfont)",
                "command": "mmgat-train compact fit --data DATA --cache CACHE --out OUT",
            }
            for name, value in validate(mmgat, validation).items()
        ),
        notes=(
            "Often right on solo instruments and small groups, less so in full mixes; related "
            "instruments (cello and violin, banjo and guitar) are confused.",
            "Speech, everyday sounds and steady noise were learned as sounds in which nothing plays; "
            "what rings or squeals like an instrument (bowed glass, a struck pipe, rattled foil) may "
            "still be named.",
            "A singer alone is often taken for a speaker: voice comes first then, but below its "
            "threshold.",
            "Recordings of a source that was left out are ranked far worse than those of one that was "
            "trained on: expect of an instrument in another room what is said of left-out sources.",
            "accordion and organ were learned from soundfonts only, ukulele from nothing: its score "
            "means little.",
            "Mandolin was learned from 80 notes of one instrument, mallet percussion from half a "
            "minute of recordings and from soundfonts.",
            "In ONNX Runtime it computes in 8 bits, in torch and on GPUs in floats, as when "
            "thresholds were set: scores differ by some thousandths.",
        ),
    )
    return save_checkpoint(out / "compact.safetensors", card, mmgat, embedder.state_dict())


def thresholds_of(mmgat: MMGAT, held_out: Bags, path: Path) -> dict[str, float]:
    """Computes label -> threshold for live decisions, from held-out bags and their file.

    The thresholds are those of the best F1. They are then raised until noise gives no false alarm, and
    speech and everyday sounds few.
    """
    with np.load(path) as file:
        kind = file["kind"]
    _, scores = predict(mmgat, held_out)
    assert scores is not None
    everything = Seconds(held_out.instance.numpy(), scores, held_out.instance_weight.numpy())

    def of(*kinds: str) -> Seconds:
        return Seconds(*(array[np.isin(kind, kinds)] for array in everything))

    known, playing = of(*KNOWN_KINDS), of(*SYNTHETIC)
    thresholds = calibrate(known.truth, known.scores, known.known, lowest=LOWEST_THRESHOLD)
    for silence, events_an_hour in (("silence", 0.0), ("sounds", FALSE_EVENTS_AN_HOUR)):
        silent = of(silence)
        hours = silent.scores.shape[0] * silent.scores.shape[1] / 3600
        thresholds = raise_for_false_alarms(
            thresholds, silent, playing, int(events_an_hour * hours)
        )
    return thresholds


def recalibrate(cache: Path, card_path: Path) -> dict[str, float]:
    """Computes the thresholds of a checkpoint again, writes them into its card and returns them.

    Raises:
        TrainingDataError: the cache has no embeddings.
        CheckpointError: there is no such checkpoint.
    """
    checkpoint = load_checkpoint(str(card_path))
    path = cache / "embeddings-validation.npz"
    thresholds = thresholds_of(checkpoint.mmgat, load_bags(path), path)
    card = json.loads(card_path.read_text("utf-8"))
    card["thresholds"] = thresholds
    card_path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return thresholds


def record(card_path: Path, scores: dict[str, Any], on: str, command: str) -> None:
    """Writes metrics (name -> number) into a card, in place of older ones on the same data.

    Raises:
        TrainingDataError: there is no such card.
    """
    try:
        card = json.loads(card_path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingDataError(f"expected a card at {card_path}, found {error}") from error
    new = [
        {"name": name, "value": value, "on": on, "command": command}
        for name, value in scores.items()
        if isinstance(value, float)
    ]
    card["metrics"] = [row for row in card["metrics"] if row["on"] != on] + new
    card_path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", "utf-8")
