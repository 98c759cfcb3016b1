"""The sliding instance graph: the last N seconds as a ring of nodes, and their edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mmgat.model.backends.base import Graphs, WholeGraphs, collated


class GraphBuffer:
    """The last ``n_nodes`` nodes and the similarities of all pairs; a new node takes the oldest's slot.

    A new node costs one row of similarities, which the network computes; it is stored as the node's
    row and column, and all other similarities stay as they are. The order of the slots means
    nothing: attention does not depend on it, and time stands in ``steps``.

    Args:
        n_nodes: N.
        embedding_size: entries of an embedding.

    Attributes:
        nodes, mask, steps, newest, similarity: as in ``Graphs``, of this graph.
    """

    def __init__(self, n_nodes: int, embedding_size: int) -> None:
        self.nodes = np.zeros((n_nodes, embedding_size), np.float32)
        self.mask = np.zeros(n_nodes, bool)
        self.steps = np.zeros(n_nodes, np.int64)
        self.newest = np.zeros(n_nodes, bool)
        self.similarity = np.zeros((n_nodes, n_nodes), np.float32)
        self._slots: dict[int, int] = {}  # step -> slot, oldest first
        self._starts = [0] * n_nodes  # of the node in every slot
        self._slot = self._next = 0  # of the newest node, of the one after it

    @property
    def starts(self) -> list[int]:
        """Positions of the nodes there are, in samples, oldest first."""
        return [self._starts[slot] for slot in self._slots.values()]

    @property
    def slots(self) -> list[int]:
        """Their slots, oldest first."""
        return list(self._slots.values())

    @staticmethod
    def collate(buffers: Sequence[GraphBuffer]) -> Graphs:
        """Copies of the graphs, as the network takes them."""
        return collated(buffers)

    def begin_node(self, step: int, start: int) -> None:
        """The slot of a new node, whose embedding and edges ``set_node`` stores.

        Nodes that now lie N seconds back or more, as after a gap, are forgotten. A node in the
        same second as the newest takes its place.

        Args:
            step: its place in time, in whole seconds.
            start: position of its second in samples.

        Raises:
            ValueError: it lies before the newest node.
        """
        newest = next(reversed(self._slots), -1)
        if step < newest:
            raise ValueError(f"expected a node at {newest} s or later, found one at {step} s")
        if step == newest:
            self._slot = self._slots[step]
        else:
            self._slot, self._next = self._next, (self._next + 1) % len(self.nodes)
        self._forget(step - len(self.nodes))
        self._slots[step] = self._slot
        self._starts[self._slot] = start
        self.steps[self._slot] = step
        self.mask[self._slot] = True
        self.newest[:] = False
        self.newest[self._slot] = True

    def set_node(self, embedding: npt.NDArray[np.float32], row: npt.NDArray[np.float32]) -> None:
        """Stores what the network says of the node that ``begin_node`` made.

        Args:
            embedding: float32 [D].
            row: float32 [N], its similarity to the node in every slot, itself among them.
        """
        self.nodes[self._slot] = embedding
        self.similarity[self._slot] = row
        self.similarity[:, self._slot] = row

    def whole(self, embedding: npt.NDArray[np.float32]) -> WholeGraphs:
        """Stores the embedding alone, and copies the graph; its edges are the network's to compute.

        Args:
            embedding: float32 [D], of the node that ``begin_node`` made.
        """
        self.nodes[self._slot] = embedding
        return WholeGraphs(
            self.nodes.copy(), self.mask.copy(), self.steps.copy(), self.newest.copy()
        )

    def edges(self) -> npt.NDArray[np.float32]:
        """Similarities of the nodes there are, float32 [n, n], oldest first; a copy."""
        slots = self.slots
        return self.similarity[np.ix_(slots, slots)]

    def drop_newest(self) -> None:
        """Forgets the newest node, whose second turned out to be silent: it is no instance."""
        step = next(reversed(self._slots))
        slot = self._slots.pop(step)
        self.mask[slot] = self.newest[slot] = False
        self._next = slot

    def _forget(self, last_step: int) -> None:
        for step in [step for step in self._slots if step <= last_step]:
            self.mask[self._slots.pop(step)] = False
