"""Operating points of a checkpoint whose embeddings are at hand without their sound (ours).

Normal sensitivity is the card's own thresholds. The low and the high one are as far from it as a
label's odds change by ``STEP``: nothing is chosen on the clips that the figures are of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from mmgat.model.card import Card, OperatingPoint, Sensitivity, checkpoint_path, write_card
from mmgat.model.checkpoint import load_checkpoint
from mmgat.model.labels import LABELS
from mmgat.training.data.published.audioset import read_audioset
from mmgat.training.fitting.fit import predict
from mmgat.training.metrics import Array

STEP: Final = 0.8
"""Change of the log-odds of every threshold, from one operating point to the next."""

OFFSETS: Final[dict[Sensitivity, float]] = {"low": STEP, "normal": 0.0, "high": -STEP}


def write_operating_points(model: str, embeddings: Path) -> Card:
    """Writes the operating points of a checkpoint of VGGish's embeddings into its card.

    Args:
        model: name or path of the checkpoint.
        embeddings: AudioSet's released embeddings, of clips that it was not trained on.

    Raises:
        CheckpointError: the checkpoint is missing.
        TrainingDataError: the embeddings are missing.
    """
    checkpoint = load_checkpoint(model)
    bags = read_audioset(embeddings, music_only=True)
    scores, _ = predict(checkpoint.mmgat, bags)
    truth, known = bags.bag.numpy() >= 0.5, bags.bag_weight.numpy() > 0
    on = f"{len(bags)} music clips of {embeddings.name}"
    points = {}
    for name, offset in OFFSETS.items():
        thresholds = moved(checkpoint.card.thresholds, offset)
        points[name] = OperatingPoint(thresholds, figures(truth, scores, known, thresholds), on)
    card = msgspec.structs.replace(checkpoint.card, operating_points=points)
    write_card(checkpoint_path(model), card)
    return card


def moved(thresholds: dict[str, float], offset: float) -> dict[str, float]:
    """Thresholds with ``offset`` added to their log-odds."""
    values = np.array([thresholds[label] for label in LABELS])
    odds = values / (1 - values) * np.exp(offset)
    return {label: round(float(o / (1 + o)), 4) for label, o in zip(LABELS, odds, strict=True)}


def figures(
    truth: Array, scores: Array, known: Array, thresholds: dict[str, float]
) -> dict[str, float]:
    """Micro-averaged precision, recall and F1 over known entries.

    Shapes: truth and known bool [n, 20], scores float [n, 20].
    """
    named = (scores >= np.array([thresholds[label] for label in LABELS])) & known
    right = float((named & truth).sum())
    precision = right / max(float(named.sum()), 1.0)
    recall = right / max(float((truth & known).sum()), 1.0)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    return {"precision": round(precision, 3), "recall": round(recall, 3), "F1": round(f1, 3)}
