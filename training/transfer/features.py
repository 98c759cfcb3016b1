"""What the first half of the network says of every view, and the teacher of every clip.

One part is ``features/<split>-<kind>-<number>.npz`` of ``CLIPS_A_PART`` clips of ``N_VIEWS`` views:

    middle         float16 [n, 10, 32, 8, 13]  the first half, of every node
    labels, known  bool    [n, 10, 20]
    clip           int64   [n]                 place of the clip among the part's
    teacher_10s    float16 [clips, 527]        mn04's logits of the whole clip, as it was recorded
    teacher_4s     float16 [clips, 10, 527]    and of the four seconds around every node
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from tqdm import tqdm

from mmgat.model.embedders.kaldi_mel import kaldi_log_mel
from mmgat.training.errors import TrainingDataError
from mmgat.training.transfer.augmented_views import augment, onset, windows
from mmgat.training.transfer.backbone import Stem, Tail, load_mn04
from mmgat.training.transfer.clips import N_NODES, Clip, ClipMaker, Samples

CLIPS_A_PART: Final = 50
N_VIEWS: Final = 2
ONSET_SHARE: Final = 0.3
BEGIN_SHARE: Final = 0.25
NODE_FRAMES: Final = 100
TEACHER_FRAMES: Final = 400

Arrays = dict[str, npt.NDArray[Any]]


class Teacher:
    """mn04 as published, on stretches of any length: log-mel [n, T, 128] -> logits [n, 527]."""

    def __init__(self, stem: nn.Module, tail: nn.Module) -> None:
        self._stem, self._tail = stem, tail

    @torch.inference_mode()
    def __call__(self, log_mel: Samples) -> Samples:
        """Computes the logits."""
        logits: Samples = self._tail(self._stem(torch.from_numpy(log_mel)))[1].numpy()
        return logits

    def of_clip(self, audio: Samples) -> tuple[Samples, Samples]:
        """Logits [527] of a whole clip, and [10, 527] of four seconds around every node."""
        loudest = max(1e-6, float(np.abs(audio).max()))
        frames = kaldi_log_mel(audio * np.float32(0.7 / loudest))
        latest = len(frames) - TEACHER_FRAMES
        firsts = [min(max(0, 2 * k * NODE_FRAMES - 50), latest) for k in range(N_NODES // 2)]
        around = self(np.stack([frames[f : f + TEACHER_FRAMES] for f in firsts]))
        return self(frames[None, NODE_FRAMES:])[0], np.repeat(around, 2, axis=0)


def make_part(maker: ClipMaker, kind: str, first: int, stem: Stem, teacher: Teacher) -> Arrays:
    """The arrays of one part, of clips ``first`` and on."""
    found: dict[str, list[Any]] = {
        name: [] for name in ("middle", "labels", "known", "clip", "teacher_10s", "teacher_4s")
    }
    for place, index in enumerate(range(first, first + CLIPS_A_PART)):
        clip = maker.clip(kind, index)
        whole, around = teacher.of_clip(clip.audio)
        found["teacher_10s"].append(whole)
        found["teacher_4s"].append(around)
        for view in range(N_VIEWS):
            rng = np.random.default_rng((len(kind), index, view))
            heard = _heard(clip, kind, view, rng)
            log_mel = windows(heard.audio, begins=rng.random() < BEGIN_SHARE)
            with torch.inference_mode():
                found["middle"].append(stem(torch.from_numpy(log_mel)).numpy().astype(np.float16))
            found["labels"].append(heard.labels)
            found["known"].append(heard.known)
            found["clip"].append(place)
    for name in ("teacher_10s", "teacher_4s"):
        found[name] = list(np.array(found[name], np.float16))
    return {name: np.stack(values) for name, values in found.items()}


def _heard(clip: Clip, kind: str, view: int, rng: np.random.Generator) -> Clip:
    """A view; half of the first ones of music are as recorded, but for their level."""
    if kind in ("pieces", "notes") and rng.random() < ONSET_SHARE:
        clip = onset(clip, rng)
    if kind == "music" and view == 0 and rng.random() < 0.5:
        level = np.float32(10 ** (rng.uniform(-12, 6) / 20))
        return clip._replace(audio=np.clip(clip.audio * level, -1, 1))
    return clip._replace(audio=augment(clip.audio, rng))


def run(data: Path, mn04: Path, cache: Path, split: str, kind: str, n_parts: int) -> int:
    """Makes the parts of a kind that are missing; returns how many there are.

    Args:
        data: folder with ``audio``.
        mn04: the published state dict.
        cache: as ``ClipMaker`` takes it; the parts go into its ``features``.
        split: "train" or "validation".
        kind: of ``clips.KINDS``.
        n_parts: wanted.

    Raises:
        TrainingDataError: recordings, music, pieces or mn04 are missing.
    """
    network, classes = load_mn04(mn04)
    stem = Stem(network).eval()
    teacher = Teacher(stem, Tail(network, classes).eval())
    maker = ClipMaker(data / "audio", cache, split == "validation")
    return make_missing(
        cache / "features",
        f"{split}-{kind}",
        n_parts,
        lambda number: make_part(maker, kind, number * CLIPS_A_PART, stem, teacher),
    )


def make_missing(folder: Path, name: str, n_parts: int, make: Callable[[int], Arrays]) -> int:
    """Makes the parts ``<name>-<number>.npz`` that a folder lacks; returns how many it has then."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in tqdm(range(n_parts), name):
        path = folder / f"{name}-{number:04d}.npz"
        if not path.exists():
            partial = path.with_suffix(".partial.npz")
            arrays: dict[str, Any] = make(number)
            np.savez(partial, **arrays)
            partial.rename(path)
    return len(part_paths(folder, name))


def part_paths(folder: Path, name: str) -> list[Path]:
    """Finished parts, in order."""
    return sorted(folder.glob(f"{name}-????.npz"))


def read_parts(cache: Path, split: str, kind: str) -> Arrays:
    """All finished parts of a kind, joined; ``clip`` is then the place among all clips.

    Raises:
        TrainingDataError: there are none.
    """
    paths = part_paths(cache / "features", f"{split}-{kind}")
    if not paths:
        raise TrainingDataError(
            f"expected parts of {split} {kind} in {cache / 'features'}, found none: run features"
        )
    parts = []
    for number, path in enumerate(paths):
        with np.load(path) as file:
            part = {name: file[name] for name in file.files}
        part["clip"] = part["clip"] + number * CLIPS_A_PART
        parts.append(part)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
