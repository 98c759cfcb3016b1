"""Rows for MMGAT: the trained compact embedder's view of every clip, with targets and weights.

``rows-<split>.npz`` has, for every hearing of every clip:

    rows             float32 [n, 10, 128]   embeddings, one a second
    instance         float32 [n, 10, 20]    targets of every second, in [0, 1]
    instance_weight  float32 [n, 10, 20]    0 where nothing is known
    bag              float32 [n, 20]        targets of the clip
    bag_weight       float32 [n, 20]
    kind             str [n];  clip  int64 [n], the clip each hearing is of

Targets and weights are those of ``mmgat.training.distillation.targets``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tqdm import tqdm

from mmgat.model.embedders.compact import CompactEmbedder
from mmgat.training.data.bags import RowSet
from mmgat.training.distillation.shards import Arrays, class_tables, finished_shards, kept
from mmgat.training.distillation.targets import Targets, made_here, read_shard
from mmgat.training.distillation.workspace import workspace
from mmgat.training.errors import TrainingDataError


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


@torch.inference_mode()
def embed(embedder: CompactEmbedder, log_mel: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    """[n, 10, 96, 64] -> [n, 10, 128]."""
    n_clips, n_windows = log_mel.shape[:2]
    examples = torch.from_numpy(log_mel.astype(np.float32)).flatten(0, 1)
    rows: npt.NDArray[np.float32] = embedder(examples).unflatten(0, (n_clips, n_windows)).numpy()
    return rows


def run(
    data: Path,
    teachers: Path,
    cache: Path,
    *,
    embedder: Path | None = None,
    threads: int = 2,
    without: str | None = None,
) -> dict[str, Path]:
    """Write rows-train.npz and rows-validation.npz into the run's workspace; returns their paths.

    ``without`` leaves out the clips with recordings of a source.

    Raises:
        TrainingDataError: shards, class tables or the embedder are missing.
    """
    torch.set_num_threads(threads)
    columns = class_tables(data, teachers)
    folder = workspace(cache, without)
    targets = Targets(made_here(cache, columns, without))
    network = load_embedder(embedder or folder / "distil" / "embedder.safetensors")
    written = {}
    for split in ("train", "validation"):
        paths = finished_shards(cache, split)
        collected: dict[str, list[npt.NDArray[Any]]] = {}
        n_clips = 0
        for path in tqdm(paths, f"rows ({split})"):
            with np.load(path) as file:
                shard, log_mel = read_shard(file, columns), file["log_mel"]
            chosen = kept(shard.sources, without)
            shard, log_mel = shard.select(chosen), log_mel[chosen]
            size, n_hearings = log_mel.shape[:2]
            found: Arrays = dict(targets(shard))
            found |= {"kind": shard.kind, "clip": n_clips + np.arange(size)}
            for hearing in range(n_hearings):
                collected.setdefault("rows", []).append(embed(network, log_mel[:, hearing]))
                for key, array in found.items():
                    collected.setdefault(key, []).append(array)
            n_clips += size
        written[split] = folder / f"rows-{split}.npz"
        joined: dict[str, Any] = {key: np.concatenate(parts) for key, parts in collected.items()}
        np.savez(written[split], **joined)
    return written


def read_rows(path: Path) -> RowSet:
    """Reads embeddings of the compact embedder with their targets, as ``run`` wrote them.

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
