"""Rows of tensors on a device, one for each stream or graph that lives (ours)."""

from __future__ import annotations

from typing import Final
from weakref import WeakKeyDictionary, finalize

import torch
from torch import Tensor

FIRST_CAPACITY: Final = 64
"""Owners that there is room for at first; more double it."""

SPARE: Final = 0
"""The row of nobody: unused windows of a bucket go there."""


class Places:
    """One row a owner in each of several tensors; rows are made by doubling and used again.

    Args:
        shapes: name -> dtype and shape of a row.
        device: where the tensors are.

    Attributes:
        tensors: name -> [C, ...].
        grown: how often room was made; then the tensors are others.
    """

    def __init__(
        self, shapes: dict[str, tuple[torch.dtype, tuple[int, ...]]], device: torch.device
    ) -> None:
        self._shapes, self._device = shapes, device
        self._places: WeakKeyDictionary[object, int] = WeakKeyDictionary()
        self.grown = 0
        self.tensors = self._made(FIRST_CAPACITY)
        self._free = list(range(FIRST_CAPACITY - 1, SPARE, -1))

    @property
    def capacity(self) -> int:
        """Rows, the spare one among them."""
        return len(next(iter(self.tensors.values())))

    def make_room(self, n_owners: int) -> None:
        """Makes room for so many owners."""
        while self.capacity - 1 < n_owners:
            self._grow()

    def place_of(self, owner: object) -> tuple[int, bool]:
        """The row of an owner, free when it has gone; and whether it has just been given."""
        place = self._places.get(owner)
        if place is not None:
            return place, False
        if not self._free:
            self._grow()
        place = self._places[owner] = self._free.pop()
        finalize(owner, self._free.append, place)
        return place, True

    def _made(self, capacity: int) -> dict[str, Tensor]:
        return {
            name: torch.zeros(capacity, *shape, dtype=dtype, device=self._device)
            for name, (dtype, shape) in self._shapes.items()
        }

    def _grow(self) -> None:
        old, before = self.capacity, self.tensors
        self.tensors = self._made(2 * old)
        for name, kept in before.items():
            self.tensors[name][:old] = kept
        self._free[:0] = range(2 * old - 1, old - 1, -1)
        self.grown += 1
