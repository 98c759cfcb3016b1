"""AudioSet's released VGGish rows (Google, CC BY 4.0)."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch

from model.labels import N_LABELS
from model.vggish import dequantize
from training.audioset_names import label_columns, music_columns, read_class_names
from training.errors import TrainingDataError
from training.rows import RowSet


def read_audioset(path: Path, classes: Path, music_only: bool = False) -> RowSet:
    """AudioSet's released VGGish rows (pre-activation, PCA, 8 bit) with the 20 labels.

    Labels are weak and a missing one is mostly negative, so bags have full weight and instances
    none.

    Args:
        path: npz with ``features``, ``lengths`` and packed ``labels``.
        classes: AudioSet's class_labels_indices.csv.
        music_only: keep the clips that have a label of music.

    Raises:
        TrainingDataError: missing or damaged, or without one of the keys.
    """
    try:
        with np.load(path) as file:
            features, lengths = file["features"], file["lengths"]
            labels = np.unpackbits(file["labels"], axis=1)[:, :527].astype(bool)
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise TrainingDataError(
            f"expected AudioSet rows in {path} (features, lengths, labels), found {error}"
        ) from None
    names = read_class_names(classes)
    bag = np.stack([labels[:, columns].any(1) for columns in label_columns(names)], 1)
    rows = RowSet(
        rows=dequantize(torch.from_numpy(features).float()),
        lengths=torch.from_numpy(lengths.astype(np.int64)),
        bag=torch.from_numpy(bag).float(),
        bag_weight=torch.ones(len(bag), N_LABELS),
        instance=torch.zeros(len(bag), features.shape[1], N_LABELS),
        instance_weight=torch.zeros(len(bag), features.shape[1], N_LABELS),
    )
    rows = RowSet(**(rows.__dict__ | {"rows": rows.rows * rows.mask().unsqueeze(-1)}))
    if music_only:
        rows = rows.select(torch.from_numpy(labels[:, music_columns(names)].any(1)))
    return rows
