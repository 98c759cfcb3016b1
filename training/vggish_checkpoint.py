"""The shipped checkpoint ``vggish``: MMGAT on AudioSet's released rows."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch

from model.checkpoint import Card, save_checkpoint
from model.vggish import VARIANTS
from training.datasets.audioset import read_audioset
from training.fit import FitSettings, fit, predict, validate
from training.label_text import ENCODER, minilm_embeddings
from training.thresholds import calibrate

HELD_OUT: Final = 2_200
"""Training clips kept for early stopping and thresholds; the evaluation rows are for neither."""


def run(data: Path, out: Path, settings: FitSettings) -> Card:
    """Fits, calibrates, evaluates and writes ``out``/vggish.safetensors with its card.

    Args:
        data: folder with ``audioset-vggish``.
    """
    folder = data / "audioset-vggish"
    classes = folder / "class_labels_indices.csv"
    rows = read_audioset(folder / "train.npz", classes)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(settings.seed))
    train, held_out = rows.select(order[HELD_OUT:]), rows.select(order[:HELD_OUT])
    mmgat = fit(train, held_out, minilm_embeddings(), settings=settings)
    scores, _ = predict(mmgat, held_out)
    thresholds = calibrate(held_out.bag.numpy(), scores, held_out.bag_weight.numpy())
    evaluation = read_audioset(folder / "validation.npz", classes, music_only=True)
    card = Card(
        name="vggish",
        version="1",
        embedder="vggish",
        variant=VARIANTS[0],
        mmgat=mmgat.config.to_dict(),
        thresholds=thresholds,
        text_encoder=ENCODER,
        training_data=(
            {
                "source": "AudioSet, released VGGish rows, class-balanced training set (Google)",
                "licence": "CC BY 4.0",
                "clips": len(train),
            },
        ),
        metrics=(
            {
                "name": "mAP",
                "value": round(validate(mmgat, evaluation)["clips"], 4),
                "on": f"{len(evaluation)} music clips of validation.npz (AudioSet evaluation set)",
                "command": "mmgat-train vggish --data DATA --out OUT",
            },
        ),
        notes=(
            "Trained on weak labels of 10-s clips: what sounds now is known less well than what "
            "sounded in the last seconds.",
            "AudioSet labels are incomplete and its rows come from web video; scores are low for "
            "what is rare there.",
        ),
    )
    return save_checkpoint(out / "vggish.safetensors", card, mmgat)
