"""Embeddings of every clip by the trained compact embedder, with targets, to fit MMGAT to.

``embeddings-<split>.npz`` has, for every augmented view of every clip:

    embeddings       float32 [n, 10, 128]   one a second
    instance         float32 [n, 10, 20]    targets of every second, in [0, 1]
    instance_weight  float32 [n, 10, 20]    0 if the label is unknown
    bag              float32 [n, 20]        targets of the clip
    bag_weight       float32 [n, 20]
    kind             str [n];  clip  int64 [n], the number of the clip

Targets and weights come from ``mmgat.training.distillation.targets``.
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

from mmgat.model.embedders.convnet import ConvNetEmbedder
from mmgat.training.distillation.shards import Arrays, class_tables, finished_shards, kept
from mmgat.training.distillation.targets import ClipTargets, read_shard, synthetic_clips
from mmgat.training.distillation.workspace import workspace
from mmgat.training.errors import TrainingDataError


def load_embedder(path: Path) -> ConvNetEmbedder:
    """Loads the trained embedder, in evaluation mode.

    Raises:
        TrainingDataError: the file is missing or of another network.
    """
    embedder = ConvNetEmbedder()
    try:
        embedder.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise TrainingDataError(
            f"expected a compact embedder at {path}, found {error}: run distil first"
        ) from error
    return embedder.eval()


@torch.inference_mode()
def embed(embedder: ConvNetEmbedder, log_mel: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    """Embeds log-mel examples [n, 10, 96, 64] -> float32 [n, 10, 128]."""
    n_clips, n_windows = log_mel.shape[:2]
    examples = torch.from_numpy(log_mel.astype(np.float32)).flatten(0, 1)
    found: npt.NDArray[np.float32] = embedder(examples).unflatten(0, (n_clips, n_windows)).numpy()
    return found


def run(
    data: Path,
    yamnet_classes: Path,
    cache: Path,
    *,
    embedder: Path | None = None,
    without: str | None = None,
) -> dict[str, Path]:
    """Writes embeddings-{train,validation}.npz into the run's workspace and returns their paths.

    Args:
        data: the local data folder, with AudioSet's class table.
        yamnet_classes: YAMNet's class table.
        cache: has the shards.
        embedder: weights; the distilled ones if not given.
        without: a source; clips with its recordings are left out.

    Raises:
        TrainingDataError: shards, class tables or the embedder are missing.
    """
    columns = class_tables(data, yamnet_classes)
    folder = workspace(cache, without)
    targets = ClipTargets(synthetic_clips(cache, columns, without))
    network = load_embedder(embedder or folder / "distil" / "embedder.safetensors")
    written = {}
    for split in ("train", "validation"):
        paths = finished_shards(cache, split)
        collected: dict[str, list[npt.NDArray[Any]]] = {}
        n_clips = 0
        for path in tqdm(paths, f"embeddings ({split})"):
            with np.load(path) as file:
                shard, log_mel = read_shard(file, columns), file["log_mel"]
            chosen = kept(shard.sources, without)
            shard, log_mel = shard.select(chosen), log_mel[chosen]
            size, n_views = log_mel.shape[:2]
            found: Arrays = dict(targets(shard))
            found |= {"kind": shard.kind, "clip": n_clips + np.arange(size)}
            for view in range(n_views):
                collected.setdefault("embeddings", []).append(embed(network, log_mel[:, view]))
                for key, array in found.items():
                    collected.setdefault(key, []).append(array)
            n_clips += size
        written[split] = folder / f"embeddings-{split}.npz"
        joined: dict[str, Any] = {key: np.concatenate(parts) for key, parts in collected.items()}
        np.savez(written[split], **joined)
    return written
