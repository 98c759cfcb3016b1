"""Shards for distillation: augmented views of clips, exact labels, and the scores of two teachers.

The teachers (EfficientAT mn04 on the whole clip, YAMNet on every second) get the clean clip. The
student gets two augmented views of it, so that it learns to ignore the room. If a teacher finds music
among speech and everyday sounds, the labels that it finds there are unknown.

One shard is ``shards/<split>-<number>.npz`` of ``CLIPS_A_SHARD`` clips:

    log_mel         float16 [n, 2, 10, 96, 64]   two augmented views, one example a second
    labels, known   bool    [n, 10, 20]          exact labels, and whether they are known
    mn04            float16 [n, 527]             AudioSet probabilities of the clip
    mn04_embedding  float16 [n, 384]
    yamnet          float16 [n, 10, 521]         AudioSet probabilities of every second
    kind            str     [n]
    sources         str     [n]                  recordings in the clip, such as " philharmonia "
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soxr
import torch
from tqdm import tqdm

from mmgat.model.embedders.log_mel import SAMPLE_RATE_HZ, examples
from mmgat.training.data.published.audioset_names import label_columns, read_class_names, to_labels
from mmgat.training.distillation.teachers import TeacherFiles, Teachers
from mmgat.training.errors import TrainingDataError
from mmgat.training.synthesis.arrangement import CLIP_S
from mmgat.training.synthesis.augment import augment
from mmgat.training.synthesis.labelling import Clip
from mmgat.training.synthesis.mixtures import ClipMaker
from mmgat.training.synthesis.packages import RATE_HZ

CLIPS_A_SHARD: Final = 64
CLIPS_A_BATCH: Final = 8
N_VIEWS: Final = 2
MUSIC: Final = "Music"
MIN_MUSIC_SCORE: Final = 0.4
MIN_LABEL_SCORE: Final = 0.05
"""Above this a teacher finds a label. It counts only in music: elsewhere a sound is merely alike."""

Arrays = dict[str, npt.NDArray[Any]]
Columns = list[list[int]]


def class_names(data: Path, yamnet_classes: Path) -> tuple[list[str], list[str]]:
    """Reads the names of YAMNet's 521 and AudioSet's 527 classes.

    Args:
        data: the local data folder, with AudioSet's class table.
        yamnet_classes: YAMNet's class table.

    Raises:
        TrainingDataError: a table is missing or damaged.
    """
    return (
        read_class_names(yamnet_classes),
        read_class_names(data / "audioset-vggish" / "class_labels_indices.csv"),
    )


def class_tables(data: Path, yamnet_classes: Path) -> tuple[Columns, Columns]:
    """Finds the columns of the 20 labels in YAMNet's 521 and in AudioSet's 527 classes.

    Raises:
        TrainingDataError: a table is missing or damaged.
    """
    yamnet, audioset = class_names(data, yamnet_classes)
    return label_columns(yamnet), label_columns(audioset)


class UncertaintyMask:
    """Finds the seconds in which teachers find music, and the labels that they find in it.

    Args:
        data: the local data folder, with AudioSet's class table.
        yamnet_classes: YAMNet's class table.

    Raises:
        TrainingDataError: a table is missing or damaged.
    """

    def __init__(self, data: Path, yamnet_classes: Path) -> None:
        yamnet, audioset = class_names(data, yamnet_classes)
        self.columns = label_columns(yamnet), label_columns(audioset)
        self.music = yamnet.index(MUSIC), audioset.index(MUSIC)

    def __call__(
        self, yamnet: npt.NDArray[np.float16], mn04: npt.NDArray[np.float16]
    ) -> npt.NDArray[np.bool_]:
        """Computes a mask bool [n, 10, 20] from scores [n, 10, 521] and [n, 527]; True is uncertain."""
        music = np.maximum(yamnet[..., self.music[0]], mn04[:, None, self.music[1]])
        seconds = to_labels(yamnet.astype(np.float32), self.columns[0]) > MIN_LABEL_SCORE
        clips = to_labels(mn04.astype(np.float32), self.columns[1]) > MIN_LABEL_SCORE
        found: npt.NDArray[np.bool_] = seconds | clips[:, None]
        return found & (music > MIN_MUSIC_SCORE)[..., None]


def log_mel_seconds(audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    """16 kHz clip float32 [160000] -> log-mel examples float16 [10, 96, 64], one a second."""
    windows = audio[: CLIP_S * SAMPLE_RATE_HZ].reshape(CLIP_S, SAMPLE_RATE_HZ)
    return np.asarray(examples(windows), np.float16)


def make_shard(
    clips: list[Clip],
    rngs: list[np.random.Generator],
    teachers: Teachers,
    uncertainty: UncertaintyMask,
) -> Arrays:
    """Makes the arrays of one shard.

    Args:
        clips: the clips.
        rngs: random numbers of each clip's augmented views.
        teachers: give the scores.
        uncertainty: labels that become unknown in packaged sounds.
    """
    augmented_views, seconds = [], []
    for clip, rng in zip(clips, rngs, strict=True):
        audio = soxr.resample(clip.audio, RATE_HZ, SAMPLE_RATE_HZ, "HQ")
        audio = np.pad(audio, (0, max(0, CLIP_S * SAMPLE_RATE_HZ - len(audio))))
        augmented_views.append([log_mel_seconds(augment(audio, rng)) for _ in range(N_VIEWS)])
        seconds.append(teachers.yamnet(audio)[:CLIP_S])
    scores, features = [], []
    for start in range(0, len(clips), CLIPS_A_BATCH):
        batch = np.stack([clip.audio for clip in clips[start : start + CLIPS_A_BATCH]])
        batch_scores, batch_features = teachers.mn04(batch)
        scores.append(batch_scores)
        features.append(batch_features)
    arrays = {
        "log_mel": np.array(augmented_views, np.float16),
        "labels": np.stack([clip.labels for clip in clips]),
        "known": np.stack([clip.known for clip in clips]),
        "mn04": np.concatenate(scores).astype(np.float16),
        "mn04_embedding": np.concatenate(features).astype(np.float16),
        "yamnet": np.array(seconds, np.float16),
        "kind": np.array([clip.kind for clip in clips]),
        "sources": np.array([f" {' '.join(sorted(clip.sources))} " for clip in clips]),
    }
    packaged = np.array([clip.kind == "sounds" and not clip.sources for clip in clips])
    uncertain = uncertainty(arrays["yamnet"], arrays["mn04"])
    arrays["known"] &= ~(uncertain & packaged[:, None, None])
    return arrays


def write_shard(path: Path, arrays: dict[str, Any]) -> None:
    """Writes a shard beside its place and renames it, so that no damaged shard is ever there."""
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **arrays)
    partial.rename(path)


def shard_paths(cache: Path, split: str) -> list[Path]:
    """Finds the finished shards of a split, in order."""
    folder = cache / "shards"
    return sorted(p for p in folder.glob(f"{split}-*.npz") if ".partial" not in p.name)


def finished_shards(cache: Path, split: str) -> list[Path]:
    """Finds the finished shards of a split, of which there must be some.

    Raises:
        TrainingDataError: there are none.
    """
    paths = shard_paths(cache, split)
    if not paths:
        raise TrainingDataError(f"expected shards of {split} in {cache / 'shards'}: run mix first")
    return paths


def kept(sources: npt.NDArray[np.str_], without: str | None) -> npt.NDArray[np.bool_]:
    """Finds the clips without a recording of the source that is left out, bool [n]."""
    if without is None:
        return np.ones(len(sources), bool)
    found: npt.NDArray[np.bool_] = np.char.find(sources, f" {without} ") < 0
    return found


def read_shards(cache: Path, split: str, without: str | None = None) -> Arrays:
    """Reads all finished shards of a split, joined.

    Args:
        cache: folder of the shards.
        split: "train" or "validation".
        without: a source; clips with its recordings are left out.

    Raises:
        TrainingDataError: there are none.
    """
    paths = finished_shards(cache, split)
    with np.load(paths[0]) as first:
        per_shard = {key: first[key] for key in first.files}
    size = len(per_shard["kind"])
    joined = {
        key: np.empty((size * len(paths), *array.shape[1:]), array.dtype)
        for key, array in per_shard.items()
    }
    filled = 0
    for path in paths:
        with np.load(path) as shard:
            chosen = kept(shard["sources"], without)
            n_clips = int(chosen.sum())
            for key, array in joined.items():
                array[filled : filled + n_clips] = shard[key][chosen]
        filled += n_clips
    return {key: array[:filled] for key, array in joined.items()}


_worker: dict[str, Any] = {}


def _start_worker(
    teachers: TeacherFiles,
    yamnet_classes: Path,
    data: Path,
    cache: Path,
    seed: int,
    only: str | None,
) -> None:
    torch.set_num_threads(1)
    _worker["teachers"] = teachers.load()
    _worker["uncertainty"] = UncertaintyMask(data, yamnet_classes)
    _worker["makers"] = {
        split: ClipMaker(data / "audio", cache, split, seed, only)
        for split in ("train", "validation")
    }
    _worker["seed"] = seed


def _work(job: tuple[str, int, int, Path]) -> None:
    split, number, size, path = job
    if path.exists():
        return
    indices = range(number * size, (number + 1) * size)
    clips = [_worker["makers"][split].clip(index) for index in indices]
    rngs = [np.random.default_rng((_worker["seed"], 1 + len(split), index)) for index in indices]
    write_shard(path, make_shard(clips, rngs, _worker["teachers"], _worker["uncertainty"]))


def run(
    data: Path,
    teachers: TeacherFiles,
    yamnet_classes: Path,
    cache: Path,
    *,
    n_train: int = 12_000,
    n_validation: int = 800,
    clips_a_shard: int = CLIPS_A_SHARD,
    workers: int = 2,
    seed: int = 0,
    only: str | None = None,
) -> int:
    """Makes the shards that are missing, validation first; returns how many there are now.

    Args:
        data: the local data folder, with recordings and AudioSet's class table.
        teachers: files of the teachers.
        yamnet_classes: YAMNet's class table.
        cache: has stems and music; the shards are kept there.
        n_train, n_validation: number of clips.
        clips_a_shard: clips of a shard.
        workers: processes.
        seed: of all random numbers.
        only: make clips of this kind only.

    Raises:
        TrainingDataError: recordings, stems, music or teachers are missing.
    """
    folder = cache / "shards"
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation"):
        ClipMaker(data / "audio", cache, split, seed)  # packs the samples once, finds faults early
    jobs = [
        (split, number, clips_a_shard, folder / f"{split}-{number:04d}.npz")
        for split, n_clips in (("validation", n_validation), ("train", n_train))
        for number in range(-(-n_clips // clips_a_shard))
    ]
    with ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(teachers, yamnet_classes, data, cache, seed, only),
    ) as pool:
        for _ in tqdm(pool.map(_work, jobs), "shards", len(jobs)):
            pass
    return len(shard_paths(cache, "train")) + len(shard_paths(cache, "validation"))
