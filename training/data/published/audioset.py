"""AudioSet's released VGGish embeddings (Google, CC BY 4.0): pre-activation, PCA, 8 bit."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np
import torch

from mmgat.model.embedders.vggish.network import VARIANTS, dequantize
from mmgat.model.labels import LABELS, N_LABELS
from mmgat.training.data.bags import Bags
from mmgat.training.data.dataset import Dataset, Source
from mmgat.training.errors import TrainingDataError

N_CLASSES: Final = 527

COLUMNS: Final[dict[str, tuple[int, ...]]] = {
    "accordion": (209,), "banjo": (147,), "bass": (142, 194), "cello": (193,),
    "clarinet": (198,), "cymbals": (171, 172), "drums": tuple(range(161, 169)),
    "flute": (196,), "guitar": (140, 141, 143, 144, 145, 146),
    "mallet_percussion": (179, 180, 181, 182), "mandolin": (149,), "organ": (155, 156, 157),
    "piano": (153, 154), "saxophone": (197,), "synthesizer": (158,), "trombone": (188,),
    "trumpet": (187,), "ukulele": (151,), "violin": (191,),
    "voice": (*range(27, 35), 254, 255),
}  # fmt: skip
"""Columns of the names in ``audioset_names.LABEL_NAMES``, in the released class order."""

MUSIC_COLUMNS: Final = (*range(27, 35), *range(137, 283))
"""Singing, and everything from "Music" to "Scary music"."""


def read_audioset(path: Path, music_only: bool = False) -> Bags:
    """Reads released embeddings with the 20 labels.

    Labels are weak and a missing label is mostly a negative, so bags have full weight and instances
    none. The tags are all 527 classes.

    Args:
        path: npz with ``features`` uint8 [n, 10, 128], ``lengths`` [n] and ``labels``, packed bits
            of 527 classes.
        music_only: keep only the clips that have a label of music.

    Raises:
        TrainingDataError: the file is missing, damaged or not of this form.
    """
    try:
        with np.load(path) as file:
            features, lengths, packed = file["features"], file["lengths"], file["labels"]
    except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
        raise TrainingDataError(
            f"expected AudioSet embeddings in {path} (features, lengths, labels), found {error}"
        ) from None
    n_bags, n_bytes = len(features), (N_CLASSES + 7) // 8
    if (
        features.shape != (n_bags, *features.shape[1:2], 128)
        or lengths.shape != (n_bags,)
        or packed.shape != (n_bags, n_bytes)
        or not ((lengths >= 1) & (lengths <= features.shape[1])).all()
    ):
        raise TrainingDataError(
            f"expected in {path} features [n, N, 128], lengths [n] of 1 to N and labels "
            f"[n, {n_bytes}], found {features.shape}, {lengths.shape} and {packed.shape}"
        )
    labels = np.unpackbits(packed, axis=1)[:, :N_CLASSES].astype(bool)
    bag = np.stack([labels[:, list(COLUMNS[label])].any(1) for label in LABELS], 1)
    valid = np.arange(features.shape[1]) < lengths[:, None]
    unknown = torch.zeros(n_bags, features.shape[1], N_LABELS)
    bags = Bags(
        embeddings=dequantize(torch.from_numpy(features).float())
        * torch.from_numpy(valid[..., None]),
        lengths=torch.from_numpy(lengths.astype(np.int64)),
        bag=torch.from_numpy(bag).float(),
        bag_weight=torch.ones(n_bags, N_LABELS),
        instance=unknown,
        instance_weight=unknown,
        tags=torch.from_numpy(labels).float(),
    )
    if music_only:
        bags = bags.select(torch.from_numpy(labels[:, list(MUSIC_COLUMNS)].any(1)))
    return bags


class AudioSet(Dataset):
    """``DATA/audioset-vggish/{train,validation}.npz``; only clips of music are evaluated."""

    name = "audioset"
    sources = (
        Source(
            "AudioSet, released VGGish embeddings, class-balanced training set (Google)",
            "CC BY 4.0",
        ),
    )
    variant = VARIANTS[0]
    file_pattern = "*.npz"
    evaluated_on = "music clips of validation.npz (AudioSet evaluation set)"
    notes = (
        "Trained on weak labels of 10-s clips: what sounds now is known less well than what "
        "sounded in the last seconds.",
        "AudioSet labels are incomplete and its embeddings come from web video; scores are low for "
        "what is rare there.",
    )

    def training(self, data: Path, embeddings: str) -> Bags:
        """Reads all clips of ``train.npz``."""
        return read_audioset(data / "audioset-vggish" / "train.npz")

    def evaluation(self, data: Path, embeddings: str) -> Bags:
        """Reads the clips of ``validation.npz`` with a label of music."""
        return read_audioset(data / "audioset-vggish" / "validation.npz", music_only=True)

    def read_file(self, path: Path, every_clip: bool) -> tuple[Bags, str]:
        """Reads clips of music, or every clip, of either file."""
        bags = read_audioset(path, music_only=not every_clip)
        return bags, "clips" if every_clip else "music clips"
