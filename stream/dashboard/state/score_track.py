"""The scores of one source by the second, a byte for each label; the oldest seconds go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

MAX_SECONDS: Final = 3600
"""Seconds of scores that are kept."""

UNKNOWN: Final = b""
"""The row of a second without an estimate."""

FULL: Final = 200
"""The byte of a score of 1."""


@dataclass(frozen=True)
class ScoreTrack:
    """The highest score of every label in every second; the oldest seconds go.

    Attributes:
        first: second of the first row, on the axis.
        rows: a byte for each label, ``FULL`` for a score of 1; ``UNKNOWN`` without an estimate.
    """

    first: int = 0
    rows: tuple[bytes, ...] = ()

    @property
    def end(self) -> int:
        """The second after the last row."""
        return self.first + len(self.rows)

    def row(self, second: int) -> bytes:
        """The row of a second; ``UNKNOWN`` outside."""
        index = second - self.first
        return self.rows[index] if 0 <= index < len(self.rows) else UNKNOWN

    def with_row(self, second: int, row: bytes) -> ScoreTrack:
        """The track after an estimate of that second; one of before the first row is left out."""
        if not self.rows or second - self.end >= MAX_SECONDS:
            return ScoreTrack(second, (row,))
        if second < self.first:
            return self
        index = second - self.first
        if index < len(self.rows):
            before = self.rows[index]
            if len(before) == len(row):
                row = bytes(map(max, before, row))
            if row == before:
                return self
            return replace(self, rows=(*self.rows[:index], row, *self.rows[index + 1 :]))
        rows = (*self.rows, *[UNKNOWN] * (second - self.end), row)
        return ScoreTrack(second + 1 - len(rows[-MAX_SECONDS:]), rows[-MAX_SECONDS:])
