"""Targets of clips: exact labels of synthetic clips, the teachers' probabilities for music.

Scores of the teachers are mapped to the 20 labels by maximum and scaled on the synthetic clips. Without
scaling they would contradict the exact labels: a bass with a score of 0.05 plays most of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mmgat.model.labels import N_LABELS
from mmgat.training.data.bags import bag_targets
from mmgat.training.data.published.audioset_names import to_labels
from mmgat.training.distillation.platt_scaling import PlattScaling, TeacherScores
from mmgat.training.distillation.shards import Columns, finished_shards, kept
from mmgat.training.metrics import Array

SYNTHETIC: Final = ("sequenced", "rendered")
"""Kinds of clips whose parts are all known."""

TEACHER_SECOND_WEIGHT: Final = 0.5
"""Weight of a teachers' probability on a second; an exact label has 1."""


class Shard(NamedTuple):
    """Labels and scores of the clips of a shard, without their sound.

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

    def of_clips(self) -> TeacherScores:
        """Returns scores of clips: mn04's, and the largest of YAMNet's over the seconds."""
        return TeacherScores(self.mn04, self.yamnet.max(axis=1))

    def of_seconds(self) -> TeacherScores:
        """Returns scores of seconds, clip after clip: mn04's of the clip, and YAMNet's."""
        of_clip = np.repeat(self.mn04, self.yamnet.shape[1], axis=0)
        return TeacherScores(of_clip, self.yamnet.reshape(-1, N_LABELS))

    def select(self, chosen: Array) -> Shard:
        """Returns the clips of an index or a mask."""
        return Shard(*(array[chosen] for array in self))


def read_shard(file: Mapping[str, Array], columns: tuple[Columns, Columns]) -> Shard:
    """Reads an open shard; ``columns`` come from ``class_tables``."""
    return Shard(
        file["kind"],
        file["sources"],
        file["labels"],
        file["known"],
        to_labels(file["mn04"].astype(np.float32), columns[1]),
        to_labels(file["yamnet"].astype(np.float32), columns[0]),
    )


class ClipTargets:
    """Computes targets: the exact labels of a synthetic clip, the teachers' probabilities of music.

    Args:
        synthetic: clips to scale the teachers' scores on.
    """

    def __init__(self, synthetic: Shard) -> None:
        labels, known = synthetic.labels, synthetic.known
        bags, bags_known = bag_targets(labels, known)
        self.clips = PlattScaling(synthetic.of_clips(), bags > 0, bags_known > 0)
        self.seconds = PlattScaling(
            synthetic.of_seconds(), labels.reshape(-1, N_LABELS), known.reshape(-1, N_LABELS)
        )

    def __call__(self, shard: Shard) -> dict[str, npt.NDArray[np.float32]]:
        """Computes instance, instance_weight [n, 10, 20] and bag, bag_weight [n, 20]."""
        is_music = shard.kind == "music"
        music = shard.select(is_music)
        instance = np.asarray(shard.labels, np.float32)
        weight = np.asarray(shard.known, np.float32)
        instance[is_music] = self.seconds(music.of_seconds()).reshape(music.labels.shape)
        weight[is_music] = TEACHER_SECOND_WEIGHT
        bag, bag_weight = bag_targets(shard.labels, shard.known)
        bag[is_music] = self.clips(music.of_clips())
        bag_weight[is_music] = 1.0
        return {
            "instance": instance, "instance_weight": weight, "bag": bag, "bag_weight": bag_weight
        }  # fmt: skip


def synthetic_clips(
    cache: Path, columns: tuple[Columns, Columns], without: str | None = None
) -> Shard:
    """Reads the synthetic clips of all training shards, except those with a source left out.

    Raises:
        TrainingDataError: there are no shards.
    """
    found = []
    for path in finished_shards(cache, "train"):
        with np.load(path) as file:
            shard = read_shard(file, columns)
        found.append(shard.select(np.isin(shard.kind, SYNTHETIC) & kept(shard.sources, without)))
    return Shard(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))
