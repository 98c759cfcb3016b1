"""Rows for MMGAT: the trained compact embedder's view of every clip, with targets and weights.

``rows-<split>.npz`` has, for every hearing of every clip:

    rows             float32 [n, 10, 128]   embeddings, one a second
    instance         float32 [n, 10, 20]    targets of every second, in [0, 1]
    instance_weight  float32 [n, 10, 20]    0 where nothing is known
    bag              float32 [n, 20]        targets of the clip
    bag_weight       float32 [n, 20]
    kind             str [n];  clip  int64 [n], the clip each hearing is of

Clips made here have exact targets (the bag is "in any second"). Music has the teachers' opinion,
mapped to the 20 labels by maximum: of the whole clip mn04's; of a second YAMNet's, but only where
it is sure. YAMNet's scores are low nearly everywhere, and the score of a clip is a mean of those of
its seconds: taught all of them, MMGAT forgets what mn04 hears.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tqdm import tqdm

from model.compact import CompactEmbedder
from training.audioset_names import to_labels
from training.compact.teach import Arrays, class_tables, shard_paths
from training.errors import TrainingDataError
from training.rows import RowSet

TEACHER_SECOND_WEIGHT: Final = 0.5
"""YAMNet on a second is a weaker witness than an exact label."""

SURELY_ABSENT: Final = 0.05
"""If both teachers give a label less."""

SURELY_PRESENT: Final = 0.5
"""If YAMNet gives a label in a second as much."""


def load_embedder(path: Path) -> CompactEmbedder:
    """The trained embedder, ready to embed.

    Raises:
        TrainingDataError: the file is missing or not of this network.
    """
    embedder = CompactEmbedder()
    try:
        embedder.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise TrainingDataError(
            f"expected a compact embedder at {path}, found {error}: run distil first"
        ) from error
    return embedder.eval()


def targets(
    shard: Arrays, yamnet_columns: list[list[int]], mn04_columns: list[list[int]]
) -> dict[str, npt.NDArray[np.float32]]:
    """instance, instance_weight [n, 10, 20] and bag, bag_weight [n, 20] of a shard's clips."""
    music = shard["kind"] == "music"
    labels, known = shard["labels"], shard["known"]
    instance = np.asarray(labels, np.float32)
    weight = np.asarray(known, np.float32)
    seconds = to_labels(shard["yamnet"][music].astype(np.float32), yamnet_columns)
    clips = to_labels(shard["mn04"][music].astype(np.float32), mn04_columns)
    absent = (seconds < SURELY_ABSENT) & (clips < SURELY_ABSENT)[:, None]
    instance[music] = seconds
    weight[music] = TEACHER_SECOND_WEIGHT * (absent | (seconds >= SURELY_PRESENT))
    bag, bag_weight = bags_of(labels, known)
    bag[music] = clips
    bag_weight[music] = 1.0
    return {
        "instance": instance, "instance_weight": weight, "bag": bag, "bag_weight": bag_weight
    }  # fmt: skip


def bags_of(
    labels: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Targets and weights [n, 20] of whole bags from those of their seconds [n, N, 20]."""
    on = labels.any(axis=1)
    weight = on | known.all(axis=1)
    return np.asarray(on, np.float32), np.asarray(weight, np.float32)


@torch.inference_mode()
def embed(embedder: CompactEmbedder, log_mel: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    """[n, 10, 96, 64] -> [n, 10, 128]."""
    n_clips, n_windows = log_mel.shape[:2]
    examples = torch.from_numpy(log_mel.astype(np.float32)).flatten(0, 1)
    rows: npt.NDArray[np.float32] = embedder(examples).unflatten(0, (n_clips, n_windows)).numpy()
    return rows


def run(
    data: Path, teachers: Path, cache: Path, *, embedder: Path | None = None, threads: int = 2
) -> dict[str, Path]:
    """Write ``cache/rows-train.npz`` and ``cache/rows-validation.npz``; returns their paths.

    Raises:
        TrainingDataError: shards, class tables or the embedder are missing.
    """
    torch.set_num_threads(threads)
    columns = class_tables(data, teachers)
    network = load_embedder(embedder or cache / "distil" / "embedder.safetensors")
    written = {}
    for split in ("train", "validation"):
        paths = shard_paths(cache, split)
        if not paths:
            raise TrainingDataError(f"expected shards of {split} in {cache}: run mix first")
        collected: dict[str, list[npt.NDArray[Any]]] = {}
        n_clips = 0
        for path in tqdm(paths, f"rows ({split})"):
            with np.load(path) as file:
                shard = {key: file[key] for key in file.files}
            size, n_hearings = shard["log_mel"].shape[:2]
            found: Arrays = dict(targets(shard, *columns))
            found |= {"kind": shard["kind"], "clip": n_clips + np.arange(size)}
            for hearing in range(n_hearings):
                collected.setdefault("rows", []).append(
                    embed(network, shard["log_mel"][:, hearing])
                )
                for key, array in found.items():
                    collected.setdefault(key, []).append(array)
            n_clips += size
        written[split] = cache / f"rows-{split}.npz"
        joined: dict[str, Any] = {key: np.concatenate(parts) for key, parts in collected.items()}
        np.savez(written[split], **joined)
    return written


def read_rows(path: Path) -> RowSet:
    """Rows of the compact embedder with their targets, as ``training.compact.rows`` writes them.

    Raises:
        TrainingDataError: missing, damaged or of another format.
    """
    keys = ("rows", "bag", "bag_weight", "instance", "instance_weight")
    try:
        with np.load(path) as file:
            arrays = {key: torch.from_numpy(file[key]) for key in keys}
    except (OSError, KeyError, ValueError) as error:
        raise TrainingDataError(
            f"expected rows in {path} with {', '.join(keys)}: {error}"
        ) from None
    n_bags, n_rows = arrays["rows"].shape[:2]
    lengths = torch.full((n_bags,), n_rows)
    tags = torch.zeros(n_bags, 0)
    return RowSet(
        lengths=lengths, tags=tags, **{key: array.float() for key, array in arrays.items()}
    )
