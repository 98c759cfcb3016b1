"""What is known of clips: exact labels where they were made here, of music what teachers mean.

Scores of the teachers are mapped to the 20 labels by maximum and calibrated on the clips made here.
Raw they would contradict the exact labels: a bass at 0.05 is there, most of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mmgat.model.labels import N_LABELS
from mmgat.training.data.audioset_names import to_labels
from mmgat.training.distillation.platt_scaling import Calibration, Opinions
from mmgat.training.distillation.shards import Columns, finished_shards, kept
from mmgat.training.evaluation.metrics import Array

MADE_HERE: Final = ("sequenced", "rendered")
"""Kinds of clips with players, all of them known."""

TEACHER_SECOND_WEIGHT: Final = 0.5
"""Teachers on a second are weaker witnesses than an exact label."""


class Shard(NamedTuple):
    """What is known of the clips of a shard without listening to them.

    Attributes:
        kind, sources: str [n].
        labels, known: bool [n, 10, 20].
        mn04: float32 [n, 20], of clips.
        yamnet: float32 [n, 10, 20], of seconds.
    """

    kind: Array
    sources: Array
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
        file["sources"],
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


def made_here(cache: Path, columns: tuple[Columns, Columns], without: str | None = None) -> Shard:
    """Of all finished training clips those with players, none of them of a source left out."""
    found = []
    for path in finished_shards(cache, "train"):
        with np.load(path) as file:
            shard = read_shard(file, columns)
        of_players = np.isin(shard.kind, MADE_HERE) & kept(shard.sources, without)
        found.append(shard.select(of_players))
    return Shard(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))


def bags_of(
    labels: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Targets and weights [n, 20] of whole bags from those of their seconds [n, N, 20]."""
    on = labels.any(axis=1)
    weight = on | known.all(axis=1)
    return np.asarray(on, np.float32), np.asarray(weight, np.float32)
