"""The shipped checkpoint ``compact``: the distilled embedder with MMGAT fitted to its rows."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from mmgat.model.card import Card
from mmgat.model.checkpoint import load_checkpoint, save_checkpoint
from mmgat.model.embedders.compact import CompactEmbedder
from mmgat.model.mmgat import MMGAT, MMGATConfig
from mmgat.training.data.bags import RowSet
from mmgat.training.data.label_text import minilm_embeddings
from mmgat.training.distillation.embeddings import load_embedder, read_rows
from mmgat.training.distillation.targets import MADE_HERE
from mmgat.training.distillation.workspace import workspace
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.fit import FitSettings, fit, predict, validate
from mmgat.training.fitting.losses import LossWeights, MMGATLoss
from mmgat.training.fitting.thresholds import Seconds, calibrate, quiet_on
from mmgat.training.synthesis.render import HELD_OUT
from mmgat.training.synthesis.sample_bank import source_of, split_of

UNVERIFIED: Final = ("accordion", "organ", "ukulele")
"""Labels without any recorded training data: rendered ones, and ukulele with none at all."""

STATE_SIZES: Final = (512, 256)
"""Half of what VGGish's rows are read with: fewer weights to fetch for every window."""

DROPOUTS: Final = (0.1, 0.4)
"""In the graph, in the state: of so many mixtures little is learned by heart."""

PRESENCE: Final = 0.5
"""Weight of "does anything play", which speech and everyday sounds teach."""

EXACT: Final = (*MADE_HERE, "sounds", "silence")
"""Kinds of clips in which it is known what plays."""

LOWEST_THRESHOLD: Final = 0.2
"""Below that a score is a guess, whatever the mixtures say."""

FALSE_EVENTS_AN_HOUR: Final = 0.5
"""That held-out sounds may cause: a quarter of what is aimed at live, where windows come more often."""

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
    """Rows of source, licence and minutes for the card.

    Raises:
        TrainingDataError: the manifests are missing.
    """
    minutes: defaultdict[tuple[str, str], float] = defaultdict(float)
    try:
        with (data / "audio" / "manifest.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                if split_of(row) == "train" and source_of(row) != without:
                    source = f"recordings: {source_of(row)}"
                    minutes[source, row["licence"]] += float(row["seconds"]) / 60
        for music in json.loads((cache / "sources.json").read_text()):
            use = "unlabelled music" if music["kind"] == "music" else "speech and everyday sounds"
            source = f"{use}: Debian {music['package']}"
            minutes[source, music["licence"]] += music["minutes"]
        fonts = {stem["soundfont"] for stem in json.loads((cache / "stems.json").read_text())}
    except (OSError, KeyError, ValueError) as error:
        raise TrainingDataError(
            f"expected the manifests of {data} and {cache}, found {error}: run collect and render"
        ) from error
    rows: list[dict[str, Any]] = [
        {"source": source, "licence": licence, "minutes": round(played, 1)}
        for (source, licence), played in sorted(minutes.items())
    ]
    for font in sorted(fonts):
        use = "validation only" if font == HELD_OUT else "rendered"
        licence = SOUNDFONT_LICENCES.get(font, "see the soundfont's own")
        rows.append({"source": f"{use}: soundfont {font}", "licence": licence})
    return (*rows, *TEACHERS)


def merged(rows: tuple[dict[str, Any], ...], begun: Card | None) -> tuple[dict[str, Any], ...]:
    """These rows, and of the checkpoint that was begun with the sources that are not among them."""
    sources = {row["source"] for row in rows}
    before = begun.training_data if begun else ()
    earlier = tuple(row for row in before if row["source"] not in sources)
    return (*rows, *earlier)


def of_kinds(rows: RowSet, path: Path, kinds: tuple[str, ...]) -> RowSet:
    """The bags of clips of these kinds."""
    with np.load(path) as file:
        return rows.select(torch.from_numpy(np.isin(file["kind"], kinds)))


def run(
    data: Path,
    cache: Path,
    out: Path,
    settings: FitSettings,
    report: Callable[[str], None] = print,
    init: str | None = None,
    without: str | None = None,
) -> Card:
    """Fits on ``cache``'s rows, calibrates and writes ``out``/compact.safetensors with its card.

    ``init`` is a checkpoint, by name or path, whose MMGAT is where the fit begins. Its embedder, or
    one trained on from it, must have made the rows; what it was trained on stays in the card.
    ``without`` names the source of recordings that embedder and rows were made without.
    """
    begun = load_checkpoint(init) if init is not None else None
    folder = workspace(cache, without)
    train = read_rows(folder / "rows-train.npz")
    validation_path = folder / "rows-validation.npz"
    held_out = read_rows(validation_path)
    validation = of_kinds(held_out, validation_path, EXACT)
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
        embedder=CompactEmbedder.name,
        variant=CompactEmbedder.variant,
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


def thresholds_of(mmgat: MMGAT, held_out: RowSet, path: Path) -> dict[str, float]:
    """label -> threshold for the live decision, from held-out rows and their file.

    For the best F1; then raised until noise causes no event, and speech and sounds few.
    """
    with np.load(path) as file:
        kind = file["kind"]
    _, scores = predict(mmgat, held_out)
    assert scores is not None
    everything = Seconds(held_out.instance.numpy(), scores, held_out.instance_weight.numpy())

    def of(*kinds: str) -> Seconds:
        return Seconds(*(array[np.isin(kind, kinds)] for array in everything))

    known, playing = of(*EXACT), of(*MADE_HERE)
    thresholds = calibrate(known.truth, known.scores, known.known, lowest=LOWEST_THRESHOLD)
    for silence, events_an_hour in (("silence", 0.0), ("sounds", FALSE_EVENTS_AN_HOUR)):
        silent = of(silence)
        hours = silent.scores.shape[0] * silent.scores.shape[1] / 3600
        thresholds = quiet_on(thresholds, silent, playing, int(events_an_hour * hours))
    return thresholds


def recalibrate(cache: Path, card_path: Path) -> dict[str, float]:
    """Sets the thresholds in a checkpoint's card anew, its weights unchanged; returns them.

    Raises:
        TrainingDataError: no rows in the cache.
        CheckpointError: no checkpoint there.
    """
    checkpoint = load_checkpoint(str(card_path))
    path = cache / "rows-validation.npz"
    thresholds = thresholds_of(checkpoint.mmgat, read_rows(path), path)
    card = json.loads(card_path.read_text("utf-8"))
    card["thresholds"] = thresholds
    card_path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return thresholds


def record(card_path: Path, scores: dict[str, Any], on: str, command: str) -> None:
    """Writes measured figures (name -> number) into a card, in place of older ones on the same.

    Raises:
        TrainingDataError: no card there.
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
