"""Rows for MMGAT: the trained compact embedder's view of every clip, with targets and weights.

``rows-<split>.npz`` has, for every hearing of every clip:

    rows             float32 [n, 10, 128]   embeddings, one a second
    instance         float32 [n, 10, 20]    targets of every second, in [0, 1]
    instance_weight  float32 [n, 10, 20]    0 where nothing is known
    bag              float32 [n, 20]        targets of the clip
    bag_weight       float32 [n, 20]
    kind             str [n];  clip  int64 [n], the clip each hearing is of

Clips made here have exact targets (the bag is "in any second"). Of music it is the teachers who
say what plays, mapped to the 20 labels by maximum and calibrated on the clips made here. Their raw
scores would contradict the exact labels: a bass at 0.05 is there, most of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tqdm import tqdm

from model.compact import CompactEmbedder
from model.labels import N_LABELS
from training.audioset_names import to_labels
from training.compact.calibration import Calibration, Opinions
from training.compact.teach import Arrays, Columns, class_tables, finished_shards
from training.errors import TrainingDataError
from training.metrics import Array
from training.rows import RowSet

MADE_HERE: Final = ("sequenced", "rendered")
"""Kinds of clips with players, all of them known."""

TEACHER_SECOND_WEIGHT: Final = 0.5
"""Teachers on a second are weaker witnesses than an exact label."""


class Shard(NamedTuple):
    """What is known of the clips of a shard without listening to them.

    Attributes:
        kind: str [n].
        labels, known: bool [n, 10, 20].
        mn04: float32 [n, 20], of clips.
        yamnet: float32 [n, 10, 20], of seconds.
    """

    kind: Array
    labels: Array
    known: Array
    mn04: Array
    yamnet: Array

    def of_clips(self) -> Opinions:
        """mn04 on the clip, YAMNet on its loudest second for the label."""
        return Opinions(self.mn04, self.yamnet.max(axis=1))

    def of_seconds(self) -> Opinions:
        """mn04 on the clip around, YAMNet on the second; clip after clip."""
        of_clip = np.repeat(self.mn04, self.yamnet.shape[1], axis=0)
        return Opinions(of_clip, self.yamnet.reshape(-1, N_LABELS))

    def select(self, chosen: Array) -> Shard:
        return Shard(*(array[chosen] for array in self))


def read_shard(file: Mapping[str, Array], columns: tuple[Columns, Columns]) -> Shard:
    """Of an open shard; ``columns`` as ``class_tables`` gives them."""
    return Shard(
        file["kind"],
        file["labels"],
        file["known"],
        to_labels(file["mn04"].astype(np.float32), columns[1]),
        to_labels(file["yamnet"].astype(np.float32), columns[0]),
    )


class Targets:
    """Targets of clips: exact where those were made here, of music what the teachers mean.

    Args:
        made_here: clips to calibrate the teachers on.
    """

    def __init__(self, made_here: Shard) -> None:
        labels, known = made_here.labels, made_here.known
        bags, bags_known = bags_of(labels, known)
        self.clips = Calibration(made_here.of_clips(), bags > 0, bags_known > 0)
        self.seconds = Calibration(
            made_here.of_seconds(), labels.reshape(-1, N_LABELS), known.reshape(-1, N_LABELS)
        )

    def __call__(self, shard: Shard) -> dict[str, npt.NDArray[np.float32]]:
        """instance, instance_weight [n, 10, 20] and bag, bag_weight [n, 20]."""
        music = shard.kind == "music"
        heard = shard.select(music)
        instance = np.asarray(shard.labels, np.float32)
        weight = np.asarray(shard.known, np.float32)
        instance[music] = self.seconds(heard.of_seconds()).reshape(heard.labels.shape)
        weight[music] = TEACHER_SECOND_WEIGHT
        bag, bag_weight = bags_of(shard.labels, shard.known)
        bag[music] = self.clips(heard.of_clips())
        bag_weight[music] = 1.0
        return {
            "instance": instance, "instance_weight": weight, "bag": bag, "bag_weight": bag_weight
        }  # fmt: skip


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
    targets = Targets(_made_here(cache, columns))
    network = load_embedder(embedder or cache / "distil" / "embedder.safetensors")
    written = {}
    for split in ("train", "validation"):
        paths = finished_shards(cache, split)
        collected: dict[str, list[npt.NDArray[Any]]] = {}
        n_clips = 0
        for path in tqdm(paths, f"rows ({split})"):
            with np.load(path) as file:
                shard, log_mel = read_shard(file, columns), file["log_mel"]
            size, n_hearings = log_mel.shape[:2]
            found: Arrays = dict(targets(shard))
            found |= {"kind": shard.kind, "clip": n_clips + np.arange(size)}
            for hearing in range(n_hearings):
                collected.setdefault("rows", []).append(embed(network, log_mel[:, hearing]))
                for key, array in found.items():
                    collected.setdefault(key, []).append(array)
            n_clips += size
        written[split] = cache / f"rows-{split}.npz"
        joined: dict[str, Any] = {key: np.concatenate(parts) for key, parts in collected.items()}
        np.savez(written[split], **joined)
    return written


def _made_here(cache: Path, columns: tuple[Columns, Columns]) -> Shard:
    """Of all training clips those with players."""
    found = []
    for path in finished_shards(cache, "train"):
        with np.load(path) as file:
            shard = read_shard(file, columns)
        found.append(shard.select(np.isin(shard.kind, MADE_HERE)))
    return Shard(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))


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
