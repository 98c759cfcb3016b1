"""The shipped checkpoint ``compact``: the trained network, its nodes, and MMGAT."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Final

import torch

from mmgat.model.card import Card, OperatingPoint, Sensitivity
from mmgat.model.checkpoint import Checkpoint, save_checkpoint
from mmgat.model.embedders.mobilenet import SpectrogramMobileNet
from mmgat.model.embedders.tagger import MOST_CLASSES, TaggerEmbedder
from mmgat.model.embedders.tags import TAGS
from mmgat.model.mmgat import MMGAT
from mmgat.training.data.published.audioset_names import label_columns
from mmgat.training.distillation.sources import heard
from mmgat.training.errors import TrainingDataError
from mmgat.training.transfer.backbone import (
    FIRST_LAYERS,
    Classes,
    Stem,
    Tail,
    kept_classes,
    load_mn04,
)
from mmgat.training.transfer.heads import Nodes
from mmgat.training.transfer.tail import Prior

SAME_WEIGHTS: Final = 1e-4
VERSION: Final = "10"
UNVERIFIED: Final = ("accordion", "organ", "ukulele")
"""Labels without any recorded training data of our own."""

CREDITS: Final = (
    "EfficientAT mn04_as, https://github.com/fschmid56/EfficientAT, MIT License, Copyright (c) 2022 "
    "Florian Schmid: the embedder's first weights, and the teacher",
)
NOTES: Final = (
    "In full mixes the quieter instruments are missed.",
    "Related instruments are confused: cello and violin, piano and mallet percussion, banjo and "
    "guitar; single notes of wind instruments among each other.",
    "Bass is guessed where a piano or a guitar plays low.",
    "Clanks of metal may be named cymbals, bangs drums, and a voice that calls or hums voice.",
    "Mandolin was learned from 80 notes of one instrument, mallet percussion from half a minute of "
    "recordings and from soundfonts, besides what mn04 knows; accordion and organ from soundfonts, "
    "and ukulele from mn04 alone.",
)


@torch.no_grad()
def embedder_of(
    network: SpectrogramMobileNet, tail: Tail, nodes: Nodes, class_names: list[str]
) -> TaggerEmbedder:
    """One embedder of the trained parts; of the classes only those that are used."""
    embedder, kept = TaggerEmbedder(), kept_classes(class_names)
    embedder.network.load_state_dict(network.state_dict())
    embedder.network.layers[FIRST_LAYERS:].load_state_dict(tail.layers.state_dict())
    embedder.hidden.load_state_dict(tail.classes.hidden.state_dict())
    embedder.classes.weight.copy_(tail.classes.classes.weight[kept])
    embedder.classes.bias.copy_(tail.classes.classes.bias[kept])
    embedder.embedding.load_state_dict(nodes.embedding.state_dict())
    prior = nodes.prior
    of_classes = prior.of_classes.weight / prior.class_spread
    of_features = prior.of_features.weight / prior.spread
    offset = prior.offset - of_classes @ prior.class_mean - of_features @ prior.mean
    embedder.prior_scale.copy_(prior.scale)
    embedder.prior_of_classes.weight.copy_(of_classes)
    embedder.prior_of_features.weight.copy_(of_features)
    embedder.prior_of_features.bias.copy_(offset)
    for label, columns in enumerate(label_columns(class_names)):
        places = [kept.index(column) for column in columns]
        repeated = (places * MOST_CLASSES)[:MOST_CLASSES]
        embedder.label_classes[label] = torch.tensor(repeated)
    tags = [kept.index(class_names.index(tag)) for tag in TAGS]
    embedder.tag_classes.copy_(torch.tensor(tags))
    return embedder.eval()


def trainable(loaded: Checkpoint, mn04: Path) -> TaggerEmbedder:
    """The embedder of a checkpoint; its first half is mn04's, whose middles the views hold.

    Raises:
        TrainingDataError: the checkpoint has another embedder, or another first half.
    """
    embedder = loaded.embedder()
    if not isinstance(embedder, TaggerEmbedder):
        raise TrainingDataError(
            f"expected a checkpoint with the embedder {TaggerEmbedder.name}, "
            f"found {loaded.card.embedder}: go on from compact"
        )
    published = Stem(load_mn04(mn04)[0]).state_dict()
    for name, value in Stem(embedder.network).state_dict().items():
        if not torch.allclose(value, published[name], atol=SAME_WEIGHTS):
            raise TrainingDataError(
                f"expected mn04's first half in checkpoint {loaded.card.name}, "
                f"found another {name}: go on from compact"
            )
    return embedder


@torch.no_grad()
def parts_of(embedder: TaggerEmbedder, class_names: list[str]) -> tuple[Tail, Nodes]:
    """Copies of what ``embedder_of`` joins, to be trained on.

    Args:
        embedder: its first half stays as it is.
        class_names: of the classes that it keeps, in order; ``embedder_of`` takes them too.
    """
    embedder = copy.deepcopy(embedder)
    classes = Classes(len(class_names))
    classes.hidden, classes.classes = embedder.hidden, embedder.classes
    prior = Prior(class_names)
    prior.scale.copy_(embedder.prior_scale)
    prior.offset.copy_(embedder.prior_of_features.bias)
    prior.of_classes.weight.copy_(embedder.prior_of_classes.weight)
    prior.of_features.weight.copy_(embedder.prior_of_features.weight)
    nodes = Nodes(prior, class_names)
    nodes.embedding.load_state_dict(embedder.embedding.state_dict())
    return Tail(embedder.network, classes).eval(), nodes.eval()


def training_data(data: Path, cache: Path) -> tuple[dict[str, Any], ...]:
    """Rows of source, licence and minutes for the card.

    Raises:
        TrainingDataError: a manifest is missing.
    """
    fonts: set[str] = set()
    try:
        rows = heard(data, cache)
        for path in (cache / "pieces").glob("?????.json"):
            fonts.add(json.loads(path.read_text())["soundfont"])
    except (OSError, KeyError, ValueError) as error:
        raise TrainingDataError(
            f"expected the manifests of {data} and {cache}, found {error}: run collect and pieces"
        ) from error
    rows += [
        {"source": f"rendered: soundfont {font}", "licence": "see the soundfont's own"}
        for font in sorted(fonts)
    ]
    rows.append({"source": "scores: music21's corpus", "licence": "out of copyright"})
    return (*rows, {"source": "start and teacher: EfficientAT mn04_as", "licence": "MIT"})


def save(
    out: Path,
    embedder: TaggerEmbedder,
    mmgat: MMGAT,
    points: dict[Sensitivity, OperatingPoint],
    text_encoder: str,
    sources: tuple[dict[str, Any], ...],
) -> Card:
    """Writes ``compact.safetensors`` and its card into a folder; returns the card."""
    card = Card(
        name="compact",
        version=VERSION,
        embedder=TaggerEmbedder.name,
        variant=TaggerEmbedder.variant,
        mmgat=mmgat.config.to_dict(),
        thresholds=points["normal"].thresholds,
        operating_points=points,
        unverified=UNVERIFIED,
        text_encoder=text_encoder,
        training_data=sources,
        notes=NOTES,
        credits=CREDITS,
    )
    out.mkdir(parents=True, exist_ok=True)
    return save_checkpoint(out / "compact.safetensors", card, mmgat, embedder.state_dict())
