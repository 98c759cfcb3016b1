"""Bags of embeddings with their targets, and the ways to make new bags of them in training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import pad

from mmgat.model.labels import N_LABELS
from mmgat.training.errors import TrainingDataError


@dataclass(frozen=True)
class Targets:
    """Targets of a batch of bags. A weight of 0 means that the label is unknown, not absent.

    Attributes:
        bag, bag_weight: float32 [B, 20], targets in [0, 1].
        instance, instance_weight: float32 [B, N, 20].
        tags: float32 [B, T], further classes in [0, 1], all known; T may be 0.
    """

    bag: Tensor
    bag_weight: Tensor
    instance: Tensor
    instance_weight: Tensor
    tags: Tensor


@dataclass(frozen=True)
class Bags:
    """Bags of up to N embeddings, one a second of sound.

    Attributes:
        embeddings: float32 [n, N, 128], centred; zero in the padding.
        lengths: int64 [n], number of embeddings of each bag.
        bag, bag_weight: float32 [n, 20].
        instance, instance_weight: float32 [n, N, 20].
        tags: float32 [n, T], further classes in [0, 1], all known; T may be 0.
    """

    embeddings: Tensor
    lengths: Tensor
    bag: Tensor
    bag_weight: Tensor
    instance: Tensor
    instance_weight: Tensor
    tags: Tensor

    def __len__(self) -> int:
        return len(self.embeddings)

    def select(self, index: Tensor) -> Bags:
        """Returns the bags of an index or a mask."""
        return self._each(lambda value: value[index])

    def join(self, other: Bags) -> Bags:
        """Returns these bags and then the others, padded to the longest."""
        longest = max(self.embeddings.shape[1], other.embeddings.shape[1])

        def padded_to_longest(value: Tensor) -> Tensor:
            missing = longest - value.shape[1] if value.dim() == 3 else 0
            return pad(value, (0, 0, 0, missing)) if missing else value

        own, others = self._each(padded_to_longest), other._each(padded_to_longest)
        return Bags(
            **{
                name: torch.cat([own.__dict__[name], others.__dict__[name]])
                for name in own.__dict__
            }
        )

    def mask(self) -> Tensor:
        """Returns a mask bool [n, N], True where there is an embedding."""
        positions = torch.arange(self.embeddings.shape[1], device=self.lengths.device)
        return positions < self.lengths[:, None]

    def targets(self) -> Targets:
        """Returns the targets without the embeddings."""
        return Targets(self.bag, self.bag_weight, self.instance, self.instance_weight, self.tags)

    def to(self, device: torch.device, non_blocking: bool = False) -> Bags:
        """Copies the bags to a device; ``non_blocking`` does not wait for pinned tensors."""
        return self._each(lambda value: value.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Bags:
        """Copies the bags to page-locked memory, from which a GPU reads without the CPU."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Bags:
        return Bags(**{name: change(value) for name, value in self.__dict__.items()})

    def crop(self, generator: torch.Generator, shortest: int, longest: int = 0) -> Bags:
        """Crops every bag at random, since a live graph grows from one node.

        A weak label may lie outside the crop, so bag weights shrink with the part that was cut off.

        Args:
            generator: the randomness.
            shortest: embeddings of the shortest crop.
            longest: of the longest one; 0 is without limit.
        """
        n, n_instances = self.embeddings.shape[:2]
        kept = torch.rand(n, generator=generator) * (self.lengths - shortest + 1).clamp(min=1)
        kept = torch.minimum(kept.long() + shortest, self.lengths)
        if longest:
            kept = kept.clamp(max=longest)
            n_instances = min(n_instances, longest)
        first = (torch.rand(n, generator=generator) * (self.lengths - kept + 1)).long()
        last = self.embeddings.shape[1] - 1
        index = (torch.arange(n_instances) + first[:, None]).clamp(max=last)
        bags = torch.arange(n)[:, None]
        share = (kept / self.lengths)[:, None]
        valid = (torch.arange(n_instances) < kept[:, None]).unsqueeze(-1)
        return Bags(
            self.embeddings[bags, index] * valid,
            kept,
            self.bag,
            self.bag_weight * share,
            self.instance[bags, index],
            self.instance_weight[bags, index] * valid,
            self.tags,
        )

    def temporal_cutmix(self, generator: torch.Generator) -> Bags:
        """Joins the beginning of every bag with the end of another, so that instruments change.

        The paper appends clips of one label; here any two meet and each second keeps its own
        targets. A bag label is on if a second has it, and off if all seconds do not. This is only
        for bags of full length whose seconds have targets.
        """
        n, n_instances = self.embeddings.shape[:2]
        others = self.select(torch.randperm(n, generator=generator))
        cut = torch.randint(1, n_instances, (n, 1), generator=generator)
        own = (torch.arange(n_instances) < cut).unsqueeze(-1)
        instance = torch.where(own, self.instance, others.instance)
        weight = torch.where(own, self.instance_weight, others.instance_weight)
        bag = torch.where(weight > 0, instance, 0.0).amax(1)
        return Bags(
            torch.where(own, self.embeddings, others.embeddings),
            self.lengths,
            bag,
            torch.where(bag >= 0.5, weight.amax(1), weight.amin(1)),
            instance,
            weight,
            torch.maximum(self.tags, others.tags),
        )

    def instance_mix(self, generator: torch.Generator) -> Bags:
        """Replaces some embeddings of every bag by those of another; the bag has the labels of both.

        This is for weak labels, whose seconds are unknown. A label may have sounded only in the part
        that was replaced; this is rare, and the many new bags are worth more (ours; the paper appends
        clips of one label). A bag keeps between 30 and 70 % of its embeddings, at random positions.
        """
        n, n_instances = self.embeddings.shape[:2]
        others = self.select(torch.randperm(n, generator=generator))
        share = 0.3 + 0.4 * torch.rand(n, 1, generator=generator)
        own = torch.rand(n, n_instances, generator=generator) < share
        own |= ~others.mask() | ~self.mask()
        chosen = own.unsqueeze(-1)
        bag = torch.maximum(self.bag * (self.bag_weight > 0), others.bag * (others.bag_weight > 0))
        weights = torch.stack([self.bag_weight, others.bag_weight])
        return Bags(
            torch.where(chosen, self.embeddings, others.embeddings),
            self.lengths,
            bag,
            torch.where(bag >= 0.5, weights.amax(0), weights.amin(0)),
            torch.where(chosen, self.instance, others.instance),
            torch.where(chosen, self.instance_weight, others.instance_weight),
            torch.maximum(self.tags, others.tags),
        )


def weakly_labelled(embeddings: Sequence[Tensor], bag: Tensor, bag_weight: Tensor) -> Bags:
    """Pads embeddings [N_i, D] of bags with weak labels [n, 20] to the longest bag."""
    n_bags, longest = len(embeddings), max(map(len, embeddings))
    padded = torch.zeros(n_bags, longest, embeddings[0].shape[1])
    for index, own in enumerate(embeddings):
        padded[index, : len(own)] = own
    unknown = torch.zeros(n_bags, longest, N_LABELS)
    lengths = torch.tensor([len(own) for own in embeddings])
    return Bags(padded, lengths, bag, bag_weight, unknown, unknown, torch.zeros(n_bags, 0))


def bag_targets(
    labels: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Targets and weights [n, 20] of bags, from those of their seconds bool [n, N, 20]."""
    on = labels.any(axis=1)
    weight = on | known.all(axis=1)
    return np.asarray(on, np.float32), np.asarray(weight, np.float32)


def load_bags(path: Path) -> Bags:
    """Reads bags of full length from an npz file.

    Args:
        path: has ``embeddings`` [n, N, D], ``bag`` and ``bag_weight`` [n, 20], ``instance`` and
            ``instance_weight`` [n, N, 20].

    Raises:
        TrainingDataError: the file is missing, damaged or of another format.
    """
    keys = ("embeddings", "bag", "bag_weight", "instance", "instance_weight")
    try:
        with np.load(path) as file:
            arrays = {key: torch.from_numpy(file[key]) for key in keys}
    except (OSError, KeyError, ValueError) as error:
        raise TrainingDataError(
            f"expected embeddings in {path} with {', '.join(keys)}: {error}"
        ) from None
    n_bags, n_instances = arrays["embeddings"].shape[:2]
    lengths = torch.full((n_bags,), n_instances)
    tags = torch.zeros(n_bags, 0)
    return Bags(lengths=lengths, tags=tags, **{key: array.float() for key, array in arrays.items()})
