"""Embedding rows with their targets, and batches of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from mmgat.model.labels import N_LABELS
from mmgat.training.fitting.losses import Targets


@dataclass(frozen=True)
class RowSet:
    """Bags of up to N rows.

    Attributes:
        rows: float32 [n, N, 128], centred.
        lengths: int64 [n], valid rows of each bag.
        bag, bag_weight: float32 [n, 20].
        instance, instance_weight: float32 [n, N, 20].
        tags: float32 [n, T], further classes in [0, 1], all known; T may be 0.
    """

    rows: Tensor
    lengths: Tensor
    bag: Tensor
    bag_weight: Tensor
    instance: Tensor
    instance_weight: Tensor
    tags: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, index: Tensor) -> RowSet:
        """The bags of that index or mask."""
        return self._each(lambda value: value[index])

    def join(self, other: RowSet) -> RowSet:
        """These bags and then the others, padded to the longest."""
        longest = max(self.rows.shape[1], other.rows.shape[1])

        def padded_to_longest(value: Tensor) -> Tensor:
            missing = longest - value.shape[1] if value.dim() == 3 else 0
            return pad(value, (0, 0, 0, missing)) if missing else value

        own, others = self._each(padded_to_longest), other._each(padded_to_longest)
        return RowSet(
            **{
                name: torch.cat([own.__dict__[name], others.__dict__[name]])
                for name in own.__dict__
            }
        )

    def mask(self) -> Tensor:
        """bool [n, N]: True where a row is valid."""
        places = torch.arange(self.rows.shape[1], device=self.lengths.device)
        return places < self.lengths[:, None]

    def targets(self) -> Targets:
        return Targets(self.bag, self.bag_weight, self.instance, self.instance_weight, self.tags)

    def to(self, device: torch.device, non_blocking: bool = False) -> RowSet:
        """On that device; pinned tensors need not be waited for."""
        return self._each(lambda value: value.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> RowSet:
        """In page-locked memory, from which a GPU copies without the CPU."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> RowSet:
        return RowSet(**{name: change(value) for name, value in self.__dict__.items()})

    def crop(self, generator: torch.Generator, shortest: int) -> RowSet:
        """A random stretch of every bag, since a live graph grows from one node.

        A weak label may lie outside the stretch, so bag weights shrink with what was cut off.
        """
        n, n_rows = self.rows.shape[:2]
        kept = torch.rand(n, generator=generator) * (self.lengths - shortest + 1).clamp(min=1)
        kept = torch.minimum(kept.long() + shortest, self.lengths)
        first = (torch.rand(n, generator=generator) * (self.lengths - kept + 1)).long()
        index = (torch.arange(n_rows) + first[:, None]).clamp(max=n_rows - 1)
        bags = torch.arange(n)[:, None]
        share = (kept / self.lengths)[:, None]
        valid = (torch.arange(n_rows) < kept[:, None]).unsqueeze(-1)
        return RowSet(
            self.rows[bags, index] * valid,
            kept,
            self.bag,
            self.bag_weight * share,
            self.instance[bags, index],
            self.instance_weight[bags, index] * valid,
            self.tags,
        )

    def splice(self, generator: torch.Generator) -> RowSet:
        """Every bag's beginning with another bag's end, so that instruments change abruptly.

        The paper appends clips of one label; here any two meet and the targets are those of the
        seconds. A bag label is on where a second says so, and off where all seconds do. Only for
        bags of full length, whose seconds have targets.
        """
        n, n_rows = self.rows.shape[:2]
        others = self.select(torch.randperm(n, generator=generator))
        cut = torch.randint(1, n_rows, (n, 1), generator=generator)
        own = (torch.arange(n_rows) < cut).unsqueeze(-1)
        instance = torch.where(own, self.instance, others.instance)
        weight = torch.where(own, self.instance_weight, others.instance_weight)
        bag = torch.where(weight > 0, instance, 0.0).amax(1)
        return RowSet(
            torch.where(own, self.rows, others.rows),
            self.lengths,
            bag,
            torch.where(bag >= 0.5, weight.amax(1), weight.amin(1)),
            instance,
            weight,
            torch.maximum(self.tags, others.tags),
        )

    def blend(self, generator: torch.Generator) -> RowSet:
        """Every bag with some of its rows replaced by those of another bag; it has both's labels.

        For weak labels, whose seconds nobody knows. A label may have sounded only in what was
        replaced; that is rarer than what the many new bags teach (ours; the paper appends clips of
        one label). Between 30 and 70 % of the rows are a bag's own, at random places.
        """
        n, n_rows = self.rows.shape[:2]
        others = self.select(torch.randperm(n, generator=generator))
        share = 0.3 + 0.4 * torch.rand(n, 1, generator=generator)
        own = torch.rand(n, n_rows, generator=generator) < share
        own |= ~others.mask() | ~self.mask()
        chosen = own.unsqueeze(-1)
        bag = torch.maximum(self.bag * (self.bag_weight > 0), others.bag * (others.bag_weight > 0))
        weights = torch.stack([self.bag_weight, others.bag_weight])
        return RowSet(
            torch.where(chosen, self.rows, others.rows),
            self.lengths,
            bag,
            torch.where(bag >= 0.5, weights.amax(0), weights.amin(0)),
            torch.where(chosen, self.instance, others.instance),
            torch.where(chosen, self.instance_weight, others.instance_weight),
            torch.maximum(self.tags, others.tags),
        )


def padded(rows: Sequence[Tensor], bag: Tensor, bag_weight: Tensor) -> RowSet:
    """Bags of rows [N_i, D] of any lengths with weak labels [n, 20], padded to the longest."""
    n_bags, longest = len(rows), max(map(len, rows))
    together = torch.zeros(n_bags, longest, rows[0].shape[1])
    for index, own in enumerate(rows):
        together[index, : len(own)] = own
    unknown = torch.zeros(n_bags, longest, N_LABELS)
    lengths = torch.tensor([len(own) for own in rows])
    return RowSet(together, lengths, bag, bag_weight, unknown, unknown, torch.zeros(n_bags, 0))
