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
from torch import Tensor, nn
from tqdm import tqdm

from mmgat.training.errors import TrainingDataError
from mmgat.training.transfer.audio.augmented_views import (
    as_recorded,
    augment,
    front_end,
    onset,
    windows,
)
from mmgat.training.transfer.audio.mixing import KINDS, Clips, Mixer
from mmgat.training.transfer.audio.packed import PackedSet
from mmgat.training.transfer.audio.parts import N_NODES
from mmgat.training.transfer.backbone import Stem, Tail, load_mn04

CLIPS_A_PART: Final = 50
CLIPS_AT_ONCE: Final = 10
N_VIEWS: Final = 2
ONSET_SHARE: Final = 0.3
BEGIN_SHARE: Final = 0.25
AS_RECORDED_SHARE: Final = 0.5
NODE_FRAMES: Final = 100
TEACHER_FRAMES: Final = 400
TEACHER_PEAK: Final = 0.7

Arrays = dict[str, npt.NDArray[Any]]
Counts = dict[str, dict[str, int]]
"""Split -> kind -> parts."""


class Teacher:
    """mn04 as published, on stretches of any length: log-mel [n, T, 128] -> logits [n, 527]."""

    def __init__(self, stem: nn.Module, tail: nn.Module) -> None:
        self._stem, self._tail = stem, tail

    @torch.inference_mode()
    def __call__(self, log_mel: Tensor) -> Tensor:
        """Computes the logits."""
        logits: Tensor = self._tail(self._stem(log_mel))[1]
        return logits

    @torch.inference_mode()
    def of_clips(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [n, 527] of whole clips [n, T], and [n, 10, 527] of four seconds around every node."""
        loudest = audio.abs().amax(-1, keepdim=True).clamp(min=1e-6)
        frames = front_end(audio.device)(audio * (TEACHER_PEAK / loudest))
        latest = frames.shape[1] - TEACHER_FRAMES
        firsts = [min(max(0, 2 * k * NODE_FRAMES - 50), latest) for k in range(N_NODES // 2)]
        around = torch.cat([frames[:, first : first + TEACHER_FRAMES] for first in firsts])
        of_stretches = self(around).view(len(firsts), len(audio), -1).transpose(0, 1)
        return self(frames[:, NODE_FRAMES:]), of_stretches.repeat_interleave(2, dim=1)


MakePart = Callable[[Mixer, str, int, Stem, Teacher], Arrays]


@torch.inference_mode()
def middles(stem: Stem, log_mel: Tensor) -> npt.NDArray[np.float16]:
    """What the first half says of windows [n, N, 200, 128], float16 [n, N, 32, 8, 13]."""
    found: npt.NDArray[np.float16] = (
        stem(log_mel.flatten(0, 1)).unflatten(0, log_mel.shape[:2]).half().cpu().numpy()
    )
    return found


def make_part(mixer: Mixer, kind: str, number: int, stem: Stem, teacher: Teacher) -> Arrays:
    """The arrays of one part."""
    rng = np.random.default_rng((KINDS.index(kind), number))
    found: dict[str, list[Any]] = {
        name: [] for name in ("middle", "labels", "known", "clip", "teacher_10s", "teacher_4s")
    }
    for first in range(0, CLIPS_A_PART, CLIPS_AT_ONCE):
        clips = mixer.clips(kind, CLIPS_AT_ONCE, rng)
        whole, around = teacher.of_clips(clips.audio)
        found["teacher_10s"].append(whole.half().cpu().numpy())
        found["teacher_4s"].append(around.half().cpu().numpy())
        for view in range(N_VIEWS):
            heard = _heard(clips, kind, view, rng)
            begins = rng.random(CLIPS_AT_ONCE) < BEGIN_SHARE
            found["middle"].append(middles(stem, windows(heard.audio, begins)))
            found["labels"].append(heard.labels.cpu().numpy())
            found["known"].append(heard.known.cpu().numpy())
            found["clip"].append(np.arange(first, first + CLIPS_AT_ONCE))
    return {name: np.concatenate(values) for name, values in found.items()}


def _heard(clips: Clips, kind: str, view: int, rng: np.random.Generator) -> Clips:
    """A view of each; half of the first ones of music are as recorded, but for their level."""
    n = len(clips.audio)
    if kind in ("pieces", "notes"):
        clips = _chosen(rng.random(n) < ONSET_SHARE, onset(clips, rng), clips)
    audio = augment(clips.audio, rng)
    if kind == "music" and view == 0:
        plain = torch.from_numpy(rng.random(n) < AS_RECORDED_SHARE).to(audio.device)[:, None]
        audio = torch.where(plain, as_recorded(clips.audio, rng), audio)
    return clips._replace(audio=audio)


def _chosen(which: npt.NDArray[np.bool_], some: Clips, others: Clips) -> Clips:
    """Clips of ``some`` where told so, else of ``others``."""
    mask = torch.from_numpy(which).to(some.audio.device)
    return Clips(
        *(
            torch.where(mask.view(-1, *[1] * (a.ndim - 1)), a, b)
            for a, b in zip(some, others, strict=True)
        )
    )


def run(
    packed: PackedSet, mn04: Path, cache: Path, counts: Counts, device: torch.device | str = "cpu"
) -> Counts:
    """Makes the parts that are missing in ``features`` of the cache; returns how many there are.

    Args:
        packed: what is heard.
        mn04: the published state dict.
        cache: the training's folder.
        counts: split, "train" or "validation", -> kind -> parts.
        device: where it is computed.

    Raises:
        TrainingDataError: the packed set or mn04 is missing or damaged.
    """
    return make_missing(packed, mn04, cache / "features", counts, make_part, device)


def make_missing(
    packed: PackedSet,
    mn04: Path,
    folder: Path,
    counts: Counts,
    make: MakePart,
    device: torch.device | str,
) -> Counts:
    """Makes the parts ``<split>-<kind>-<number>.npz`` that a folder lacks; as ``run``.

    Args:
        make: mixer, kind, number, stem, teacher -> the arrays of a part.
    """
    network, classes = load_mn04(mn04)
    stem = Stem(network).eval().to(device)
    teacher = Teacher(stem, Tail(network, classes).eval().to(device))
    folder.mkdir(parents=True, exist_ok=True)
    made: Counts = {}
    for split, of_split in counts.items():
        mixer = Mixer(packed, split, device)
        made[split] = {}
        for kind, n_parts in of_split.items():
            name = f"{split}-{kind}"
            for number in tqdm(range(n_parts), name):
                path = folder / f"{name}-{number:04d}.npz"
                if not path.exists():
                    unfinished = path.with_suffix(".partial.npz")
                    arrays: dict[str, Any] = make(mixer, kind, number, stem, teacher)
                    np.savez(unfinished, **arrays)
                    unfinished.rename(path)
            made[split][kind] = len(part_paths(folder, name))
    return made


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
