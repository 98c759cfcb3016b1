"""How the yard lies on the disk, and how it is read: audio, labels, and features computed once.

YARD/audio/PART/00000.flac          stereo at 16 kHz, 16 bit
YARD/labels/PART-0000.npz           of a shard of clips; written when its audio is whole
YARD/features/KIND/PART-0000.npy    float16 [n, N, D]
YARD/manifest.csv                   a row a clip, for people
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from tqdm import tqdm

from mmgat.model.labels import LABELS
from mmgat.training.data.bags import Bags, bag_targets
from mmgat.training.errors import TrainingDataError
from mmgat.training.features.registry import CLIP_S, RATE_HZ, FeatureKind, feature_kind

SHARD: Final = 50
"""Clips in a shard: what is lost when the making is stopped."""

WIDE: Final = 1_000
"""Windows with so many numbers stay in 16 bits in memory; their networks convert them."""

COLUMNS: Final = ("part", "clip", "kind", "labels", "sources", "seconds")


class LabelledClip(NamedTuple):
    """A clip of any origin, as it is stored.

    Attributes:
        audio: float32 [2, T] at 16 kHz.
        labels, known: bool [10, 20] of every second; all unknown if only ``bag`` is known.
        bag, bag_weight: float32 [20], of the clip.
        seconds: whole seconds of sound, 1 to 10.
        kind, sources: in words.
    """

    audio: npt.NDArray[np.float32]
    labels: npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_]
    bag: npt.NDArray[np.float32]
    bag_weight: npt.NDArray[np.float32]
    seconds: int
    kind: str
    sources: str


def exactly_labelled(
    audio: npt.NDArray[np.float32],
    labels: npt.NDArray[np.bool_],
    known: npt.NDArray[np.bool_],
    kind: str,
    sources: str,
) -> LabelledClip:
    """A clip whose seconds are labelled; the labels of the clip follow."""
    bag, weight = bag_targets(labels[None], known[None])
    return LabelledClip(audio, labels, known, bag[0], weight[0], CLIP_S, kind, sources)


def weakly_labelled(
    audio: npt.NDArray[np.float32],
    bag: npt.NDArray[np.float32],
    bag_weight: npt.NDArray[np.float32],
    kind: str,
    sources: str,
) -> LabelledClip:
    """A clip of which only the whole is labelled; it is cut or padded to ten seconds."""
    unknown = np.zeros((CLIP_S, len(LABELS)), bool)
    seconds = int(np.clip(audio.shape[1] // RATE_HZ, 1, CLIP_S))
    audio = audio[:, : CLIP_S * RATE_HZ]
    audio = np.pad(audio, ((0, 0), (0, CLIP_S * RATE_HZ - audio.shape[1])))
    return LabelledClip(audio, unknown, unknown, bag, bag_weight, seconds, kind, sources)


class Yard:
    """A folder with clips in parts.

    Args:
        folder: of the yard.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, part: str, n_clips: int, make: Callable[[int], LabelledClip]) -> None:
        """Makes the clips of a part; shards that are whole are kept.

        Args:
            part: name.
            n_clips: of the part.
            make: index -> clip.
        """
        (self.folder / "audio" / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "labels").mkdir(exist_ok=True)
        for number in tqdm(range(-(-n_clips // SHARD)), part, leave=False):
            target = self.folder / "labels" / f"{part}-{number:04d}.npz"
            indices = range(number * SHARD, min(n_clips, (number + 1) * SHARD))
            if target.is_file() and len(_read(target)["seconds"]) == len(indices):
                continue
            clips = []
            for index in indices:
                clip = make(index)
                soundfile.write(self._audio_path(part, index), clip.audio.T, RATE_HZ, "PCM_16")
                clips.append(clip._replace(audio=np.zeros((0, 0), np.float32)))
            names = [name for name in LabelledClip._fields if name != "audio"]
            partial = target.with_suffix(".partial.npz")
            arrays = {name: np.array([getattr(clip, name) for clip in clips]) for name in names}
            np.savez_compressed(partial, **arrays)  # type: ignore[arg-type]
            os.replace(partial, target)
        self._write_manifest()

    def _write_manifest(self) -> None:
        partial = self.folder / "manifest.partial"
        with partial.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(COLUMNS)
            for part in self.parts():
                about = self.labels(part)
                for index in range(len(about["seconds"])):
                    on = "+".join(np.array(LABELS)[about["bag"][index] >= 0.5])
                    own = (about[name][index] for name in ("kind", "sources", "seconds"))
                    kind, sources, seconds = own
                    rows.writerow([part, f"{index:05d}", kind, on, sources, seconds])
        os.replace(partial, self.folder / "manifest.csv")

    def parts(self) -> list[str]:
        """Names of the parts there are."""
        shards = sorted((self.folder / "labels").glob("*-????.npz"))
        return sorted({path.stem.rsplit("-", 1)[0] for path in shards})

    def shards(self, part: str) -> list[Path]:
        """Files of labels of a part, in order.

        Raises:
            TrainingDataError: there are none.
        """
        found = sorted((self.folder / "labels").glob(f"{part}-????.npz"))
        if not found:
            raise TrainingDataError(
                f"expected clips of part {part!r} in {self.folder}, found none: make the yard with "
                "mmgat-train yard, and give its folder as --data"
            )
        return found

    def labels(self, part: str) -> dict[str, npt.NDArray[Any]]:
        """Reads what is known of a part's clips, by the names of ``LabelledClip``.

        Raises:
            TrainingDataError: there is no such part.
        """
        shards = [_read(path) for path in self.shards(part)]
        return {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}

    def audio(self, part: str, index: int) -> npt.NDArray[np.float32]:
        """Reads a clip, float32 [2, 160000] at 16 kHz."""
        audio, _ = soundfile.read(self._audio_path(part, index), dtype="float32", always_2d=True)
        return np.ascontiguousarray(audio.T)

    def _audio_path(self, part: str, index: int) -> Path:
        return self.folder / "audio" / part / f"{index:05d}.flac"

    def features(self, part: str, kind: FeatureKind) -> npt.NDArray[np.float16]:
        """Reads the features [n, N, D] of a part; those that are not there are computed and kept."""
        arrays = []
        folder = self.folder / "features" / kind.name
        folder.mkdir(parents=True, exist_ok=True)
        first = 0
        for shard in tqdm(self.shards(part), f"{kind.name}, {part}", leave=False):
            n_clips = len(_read(shard)["seconds"])
            target = folder / f"{shard.stem}.npy"
            if not target.is_file():
                clips = (self.audio(part, first + index) for index in range(n_clips))
                found = np.stack([kind.compute(clip) for clip in clips])
                partial = target.with_suffix(".partial")
                with partial.open("wb") as file:
                    np.save(file, found.astype(np.float16))
                os.replace(partial, target)
            arrays.append(np.load(target))
            first += n_clips
        return np.concatenate(arrays)

    def bags(self, part: str, kind_name: str, kinds: Sequence[str] = ()) -> Bags:
        """Reads a part as bags of one kind of features.

        Args:
            part: of the yard.
            kind_name: of the features, see ``mmgat.training.features.registry``.
            kinds: of clips; all of them if not given.

        Raises:
            TrainingDataError: there is no such part or kind.
        """
        kind, about = feature_kind(kind_name), self.labels(part)
        embeddings = torch.from_numpy(self.features(part, kind))
        if kind.standardised:
            heard = self.features("train", kind).astype(np.float32)
            mean, deviation = heard.mean((0, 1)), heard.std((0, 1)) + 1e-6
            embeddings = ((embeddings.float() - mean) / deviation).clamp(-5, 5)
        instance, weight = window_targets(about["labels"], about["known"], kind.spans)
        ends = np.array([end for _, end in kind.spans])
        lengths = np.maximum(1, (ends <= about["seconds"][:, None] + 1e-6).sum(axis=1))
        if math.prod(kind.shape) < WIDE:
            embeddings = embeddings.float()
        bags = Bags(
            embeddings,
            torch.from_numpy(lengths),
            torch.from_numpy(about["bag"]),
            torch.from_numpy(about["bag_weight"]),
            torch.from_numpy(instance),
            torch.from_numpy(weight),
            torch.zeros(len(embeddings), 0),
        )
        if kinds:
            bags = bags.select(torch.from_numpy(np.isin(about["kind"], kinds)))
        return bags

    def each(self, part: str) -> Iterator[tuple[npt.NDArray[np.float32], int]]:
        """Reads the clips of a part one after another, with their numbers."""
        for index in range(len(self.labels(part)["seconds"])):
            yield self.audio(part, index), index


def window_targets(
    labels: npt.NDArray[np.bool_],
    known: npt.NDArray[np.bool_],
    spans: Sequence[tuple[float, float]],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Targets and weights [n, N, 20] of windows, from those of seconds bool [n, 10, 20].

    A label sounds in a window if it does in any second that the window touches, and is absent if it
    is known to be so in all of them.

    Args:
        labels, known: of every second.
        spans: first and last moment of every window, in seconds.
    """
    targets, weights = [], []
    for start, end in spans:
        touched = slice(int(np.floor(max(0.0, start) + 0.05)), int(np.ceil(end - 0.05)))
        on = labels[:, touched].any(axis=1)
        targets.append(on)
        weights.append(on | known[:, touched].all(axis=1))
    stacked = (np.stack(each, axis=1).astype(np.float32) for each in (targets, weights))
    target, weight = stacked
    return target, weight


def _read(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path) as file:
            return {name: file[name] for name in LabelledClip._fields if name != "audio"}
    except (OSError, KeyError, ValueError) as error:
        raise TrainingDataError(
            f"expected the labels of a shard in {path}, found {error}: delete it and run "
            "mmgat-train yard again"
        ) from None
