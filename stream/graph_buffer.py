"""The sliding instance graph: the last N seconds as a ring of nodes, updated one row at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from model.embedder import EMBEDDING_SIZE
from model.instance_graph import InstanceGraph
from model.log_mel import SAMPLE_RATE_HZ
from model.similarity import Similarity


class GraphBuffer:
    """The last ``n_nodes`` nodes with their similarities, on the compute device.

    Adding a node costs one row of similarities, O(N d); the oldest node's row and column are
    overwritten. All tensors keep their size and place, so on a GPU nothing waits and nothing
    moves. The order of the slots means nothing: attention does not depend on it, and time stands
    in ``steps``.

    Args:
        n_nodes: N.
        metric: the similarity.
        device: where the tensors live.
    """

    def __init__(self, n_nodes: int, metric: Similarity, device: torch.device) -> None:
        self.n_nodes = n_nodes
        self._metric = metric
        self._nodes = torch.zeros(1, n_nodes, EMBEDDING_SIZE, device=device)
        self._similarity = torch.zeros(1, n_nodes, n_nodes, device=device)
        self._steps = torch.zeros(1, n_nodes, dtype=torch.int64, device=device)
        self._mask = torch.zeros(1, n_nodes, dtype=torch.bool, device=device)
        self._slots: dict[int, int] = {}  # step -> slot, oldest first
        self._starts = [0] * n_nodes  # of the node in every slot
        self._next = 0

    @property
    def starts(self) -> list[int]:
        """Positions of the nodes there are, in samples, oldest first."""
        return [self._starts[slot] for slot in self._slots.values()]

    @property
    def slots(self) -> list[int]:
        """Their slots in the graph's tensors, oldest first."""
        return list(self._slots.values())

    def add(self, row: Tensor, start: int) -> int:
        """Puts a node [128] in the oldest's place and returns its slot.

        Nodes that now lie N seconds back or more, as after a gap, are forgotten. A node in the
        same second as the newest takes its place.

        Args:
            row: the embedding.
            start: position of its window in samples at 16 kHz; whole seconds are its step.

        Raises:
            ValueError: it lies before the newest node.
        """
        step = start // SAMPLE_RATE_HZ
        newest = next(reversed(self._slots), -1)
        if step < newest:
            raise ValueError(f"expected a node at {newest} s or later, found one at {step} s")
        if step == newest:
            slot = self._slots[newest]
        else:
            slot, self._next = self._next, (self._next + 1) % self.n_nodes
        self._forget(step - self.n_nodes)
        self._slots[step] = slot
        self._starts[slot] = start
        self._nodes[0, slot] = row
        self._steps[0, slot] = step
        self._mask[0, slot] = True
        similarities = self._metric(self._nodes[0, slot : slot + 1], self._nodes[0])[0]
        self._similarity[0, slot, :] = similarities
        self._similarity[0, :, slot] = similarities
        return slot

    def graph(self) -> InstanceGraph:
        """The graph of the present nodes, padded to N slots; a view, valid until the next add."""
        return InstanceGraph(self._nodes, self._mask, self._steps, self._similarity)

    def _forget(self, last_step: int) -> None:
        for step in [step for step in self._slots if step <= last_step]:
            self._mask[0, self._slots.pop(step)] = False
