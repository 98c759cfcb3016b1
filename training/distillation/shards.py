"""Shards for distillation: what the student hears, exact labels, and what two teachers say.

The teachers (EfficientAT mn04 on the whole clip, YAMNet on every second) hear the clean clip; the
student hears two random hearings of it, so it also learns that a room is no instrument. Where a teacher
hears music among speech and everyday sounds, nothing is known of the labels that one hears there.

One shard is ``shards/<split>-<number>.npz`` of ``CLIPS_A_SHARD`` clips:

    log_mel         float16 [n, 2, 10, 96, 64]   two hearings, one example a second
    labels, known   bool    [n, 10, 20]          exact labels; where they are known
    mn04            float16 [n, 527]             AudioSet probabilities of the clip
    mn04_embedding  float16 [n, 384]
    yamnet          float16 [n, 10, 521]         AudioSet probabilities of every second
    kind            str     [n]
    sources         str     [n]                  recordings in the clip, such as " philharmonia "
"""

from __future__ import annotations

import importlib.util
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
from mmgat.training.data.audioset_names import label_columns, read_class_names, to_labels
from mmgat.training.errors import TrainingDataError
from mmgat.training.synthesis.arrangement import CLIP_S
from mmgat.training.synthesis.augment import augment
from mmgat.training.synthesis.mixtures import Clip, ClipMaker
from mmgat.training.synthesis.packages import RATE_HZ

CLIPS_A_SHARD: Final = 64
HEARINGS: Final = 2
MUSIC: Final = "Music"
TEACHER_HEARS_MUSIC: Final = 0.4
TEACHER_DOUBTS: Final = 0.05
"""Of a label. Without music it is only a likeness: what is to be learned there is the difference."""

Arrays = dict[str, npt.NDArray[Any]]
Columns = list[list[int]]


def class_names(data: Path, teachers: Path) -> tuple[list[str], list[str]]:
    """YAMNet's 521 and AudioSet's 527 classes."""
    return (
        read_class_names(teachers / "yamnet_class_map.csv"),
        read_class_names(data / "audioset-vggish" / "class_labels_indices.csv"),
    )


def class_tables(data: Path, teachers: Path) -> tuple[Columns, Columns]:
    """Columns of the 20 labels in YAMNet's 521 and in AudioSet's 527 classes."""
    yamnet, audioset = class_names(data, teachers)
    return label_columns(yamnet), label_columns(audioset)


class Doubts:
    """Where teachers hear music, and which labels in it.

    Args:
        data, teachers: folders with AudioSet's and YAMNet's class names.
    """

    def __init__(self, data: Path, teachers: Path) -> None:
        yamnet, audioset = class_names(data, teachers)
        self.columns = label_columns(yamnet), label_columns(audioset)
        self.music = yamnet.index(MUSIC), audioset.index(MUSIC)

    def __call__(
        self, yamnet: npt.NDArray[np.float16], mn04: npt.NDArray[np.float16]
    ) -> npt.NDArray[np.bool_]:
        """Scores [n, 10, 521] and [n, 527] -> bool [n, 10, 20]."""
        music = np.maximum(yamnet[..., self.music[0]], mn04[:, None, self.music[1]])
        seconds = to_labels(yamnet.astype(np.float32), self.columns[0]) > TEACHER_DOUBTS
        clips = to_labels(mn04.astype(np.float32), self.columns[1]) > TEACHER_DOUBTS
        heard: npt.NDArray[np.bool_] = seconds | clips[:, None]
        return heard & (music > TEACHER_HEARS_MUSIC)[..., None]


def load_teachers(folder: Path) -> tuple[Any, Any]:
    """(mn04, YAMNet) of the folder's ``taggers.py``.

    Raises:
        TrainingDataError: there is no taggers.py.
    """
    path = folder / "taggers.py"
    if not path.is_file():
        raise TrainingDataError(f"expected taggers.py in {folder}, found none")
    spec = importlib.util.spec_from_file_location("taggers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Mn04(), module.Yamnet()


def hear(audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    """16 kHz clip float32 [160000] -> log-mel examples float16 [10, 96, 64], one a second."""
    windows = audio[: CLIP_S * SAMPLE_RATE_HZ].reshape(CLIP_S, SAMPLE_RATE_HZ)
    return np.asarray(examples(windows), np.float16)


@torch.inference_mode()
def ask_mn04(teacher: Any, audio: npt.NDArray[np.float32]) -> tuple[torch.Tensor, torch.Tensor]:
    """32 kHz clips [n, 320000] -> probabilities [n, 527] and features [n, 384], in one pass."""
    net = teacher.net
    features = net.avgpool(net.features(teacher.log_mel(audio))).flatten(1)
    return net.classifier(features).sigmoid(), features


def make_shard(
    clips: list[Clip],
    rngs: list[np.random.Generator],
    teachers: tuple[Any, Any],
    doubts: Doubts,
) -> Arrays:
    """The arrays of one shard; ``rngs`` decide each clip's hearings."""
    mn04, yamnet = teachers
    hearings, seconds = [], []
    for clip, rng in zip(clips, rngs, strict=True):
        audio = soxr.resample(clip.audio, RATE_HZ, SAMPLE_RATE_HZ, "HQ")
        audio = np.pad(audio, (0, max(0, CLIP_S * SAMPLE_RATE_HZ - len(audio))))
        hearings.append([hear(augment(audio, rng)) for _ in range(HEARINGS)])
        seconds.append(yamnet.scores(audio)[:CLIP_S])
    scores, features = [], []
    for start in range(0, len(clips), 8):
        batch = np.stack([clip.audio for clip in clips[start : start + 8]])
        batch_scores, batch_features = ask_mn04(mn04, batch)
        scores.append(batch_scores.numpy())
        features.append(batch_features.numpy())
    arrays = {
        "log_mel": np.array(hearings, np.float16),
        "labels": np.stack([clip.labels for clip in clips]),
        "known": np.stack([clip.known for clip in clips]),
        "mn04": np.concatenate(scores).astype(np.float16),
        "mn04_embedding": np.concatenate(features).astype(np.float16),
        "yamnet": np.array(seconds, np.float16),
        "kind": np.array([clip.kind for clip in clips]),
        "sources": np.array([f" {' '.join(sorted(clip.sources))} " for clip in clips]),
    }
    packaged = np.array([clip.kind == "sounds" and not clip.sources for clip in clips])
    doubted = doubts(arrays["yamnet"], arrays["mn04"])
    arrays["known"] &= ~(doubted & packaged[:, None, None])
    return arrays


def write_shard(path: Path, arrays: dict[str, Any]) -> None:
    """Whole or not at all: written beside, then renamed."""
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **arrays)
    partial.rename(path)


def shard_paths(cache: Path, split: str) -> list[Path]:
    """Finished shards of a split, in order."""
    folder = cache / "shards"
    return sorted(p for p in folder.glob(f"{split}-*.npz") if ".partial" not in p.name)


def finished_shards(cache: Path, split: str) -> list[Path]:
    """As ``shard_paths``, where there must be some.

    Raises:
        TrainingDataError: there are none.
    """
    paths = shard_paths(cache, split)
    if not paths:
        raise TrainingDataError(f"expected shards of {split} in {cache / 'shards'}: run mix first")
    return paths


def kept(sources: npt.NDArray[np.str_], without: str | None) -> npt.NDArray[np.bool_]:
    """Which clips, of these sources, have no recording of the one left out; bool [n]."""
    if without is None:
        return np.ones(len(sources), bool)
    found: npt.NDArray[np.bool_] = np.char.find(sources, f" {without} ") < 0
    return found


def read_shards(cache: Path, split: str, without: str | None = None) -> Arrays:
    """All finished shards of a split, joined; without the clips that have recordings of a source.

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


def _start_worker(teachers: Path, data: Path, cache: Path, seed: int, only: str | None) -> None:
    torch.set_num_threads(1)
    _worker["teachers"] = load_teachers(teachers)
    _worker["doubts"] = Doubts(data, teachers)
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
    write_shard(path, make_shard(clips, rngs, _worker["teachers"], _worker["doubts"]))


def run(
    data: Path,
    teachers: Path,
    cache: Path,
    *,
    n_train: int = 12_000,
    n_validation: int = 800,
    clips_a_shard: int = CLIPS_A_SHARD,
    workers: int = 2,
    seed: int = 0,
    only: str | None = None,
) -> int:
    """Write the shards that are missing, validation first; returns how many there are now.

    ``only`` makes them of clips of that kind.

    Raises:
        TrainingDataError: recordings, stems, music or teachers are missing.
    """
    folder = cache / "shards"
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation"):
        ClipMaker(data / "audio", cache, split, seed)  # packs the notes once, finds faults early
    jobs = [
        (split, number, clips_a_shard, folder / f"{split}-{number:04d}.npz")
        for split, n_clips in (("validation", n_validation), ("train", n_train))
        for number in range(-(-n_clips // clips_a_shard))
    ]
    with ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(teachers, data, cache, seed, only),
    ) as pool:
        for _ in tqdm(pool.map(_work, jobs), "shards", len(jobs)):
            pass
    return len(shard_paths(cache, "train")) + len(shard_paths(cache, "validation"))
