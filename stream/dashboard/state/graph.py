"""The instance correlation graph of a moment, as it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class GraphView:
    """A graph of N nodes, as it is drawn.

    Attributes:
        times_s: N starts of the nodes, oldest first.
        similarity: N rows of N, -1 to 1.
        neighbours: scale -> for each node the positions of its neighbours.
    """

    times_s: Sequence[float] = ()
    similarity: Sequence[Sequence[float]] = ()
    neighbours: Mapping[str, Sequence[Sequence[int]]] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether all parts are of the same number of nodes."""
        n = len(self.times_s)
        return (
            n > 0
            and len(self.similarity) == n
            and all(len(row) == n for row in self.similarity)
            and all(len(rows) == n for rows in self.neighbours.values())
        )
