"""The share of the last minutes' audio that was lost because analysis did not keep up."""

from __future__ import annotations

from collections import deque
from typing import Final

SPAN_S: Final = 300.0
SPACING_S: Final = 1.0


class DropRate:
    """Computes the share lost within the last five minutes from counters that only grow."""

    def __init__(self) -> None:
        self._past: deque[tuple[float, int, int]] = deque([(0.0, 0, 0)])

    def update(self, now: float, captured: int, lost: int) -> float:
        """Returns the share, 0 to 1, given the counters (frames) at ``now`` (seconds, monotonic)."""
        while len(self._past) > 1 and self._past[1][0] <= now - SPAN_S:
            self._past.popleft()
        _, captured_before, lost_before = self._past[0]
        if now - self._past[-1][0] >= SPACING_S:
            self._past.append((now, captured, lost))
        return (lost - lost_before) / max(1, captured - captured_before)
