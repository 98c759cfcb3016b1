"""Results as Parquet: one file, or parts in a folder that a killed run leaves whole."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from mmgat.stream.archive.formats.parquet import SCHEMA, error_row, result_row, table
from mmgat.stream.archive.output.journal import Journal
from mmgat.stream.archive.output.target import Output
from mmgat.stream.archive.result import FileResult, Origin

ROWS_A_PART: Final = 5000
BYTES_A_PART: Final = 32 << 20
"""Of windows, which are most of a row."""

SECONDS_A_PART: Final = 60.0
"""A killed run does again what its last part would have had."""


class _ParquetOutput(Output):
    """Collects rows until there are enough for a part or a row group.

    Args:
        path: the file, or the folder of the parts.
        origin, journal: of the run.
        clock: ``time.monotonic``, or another in tests.
    """

    def __init__(
        self,
        path: Path,
        origin: Origin,
        journal: Journal,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(journal)
        self._path, self._origin, self._clock = path, origin, clock
        self._rows: list[dict[str, Any]] = []
        self._to_name: list[tuple[str, int]] = []
        self._n_bytes = 0
        self._begun_at = clock()
        self._begin()

    def add(self, result: FileResult) -> None:
        """Takes a row."""
        self._to_name.append((result.file, 0))
        self._rows.append(result_row(result, self._origin))
        self._n_bytes += 0 if result.windows is None else result.windows.nbytes

    def add_error(self, file: str, error: str) -> None:
        """Takes the row of a file that could not be read; a resumed run tries it again."""
        self._rows.append(error_row(file, error))

    def flush(self) -> None:
        """Writes a part if there is enough for one, or it is old enough."""
        full = len(self._rows) >= ROWS_A_PART or self._n_bytes >= BYTES_A_PART
        if full or self._clock() > self._begun_at + SECONDS_A_PART:
            self._end_part()

    def close(self) -> None:
        """Writes the rest."""
        self._end_part()
        super().close()

    def _end_part(self) -> None:
        self._begun_at = self._clock()
        if not self._rows:
            return
        self._write(self._rows)
        assert self._journal is not None
        self._journal.add(self._to_name)
        self._rows, self._to_name, self._n_bytes = [], [], 0

    @abstractmethod
    def _begin(self) -> None:
        """Makes the place for the first rows."""

    @abstractmethod
    def _write(self, rows: list[dict[str, Any]]) -> None:
        """Writes a part or a row group."""


class ParquetParts(_ParquetOutput):
    """Files ``part-00000.parquet`` and so on in a folder.

    A part has its name only once it is whole. One that the journal does not name, because the run
    was killed in between, is replaced.
    """

    def _begin(self) -> None:
        assert self._journal is not None
        if not self.done:
            for part in self._path.glob("part-*.parquet"):
                part.unlink()
        self._number = self._journal.end

    def _write(self, rows: list[dict[str, Any]]) -> None:
        path = self._path / f"part-{self._number:05d}.parquet"
        unfinished = path.with_suffix(".part")
        pq.write_table(table(rows), unfinished)
        unfinished.replace(path)
        self._number += 1
        self._to_name = [(file, self._number) for file, _ in self._to_name]


class ParquetFile(_ParquetOutput):
    """One Parquet file, which is whole once the run has ended."""

    def _begin(self) -> None:
        self._writer = pq.ParquetWriter(self._path, SCHEMA)

    def close(self) -> None:
        """Writes the rest, and the end of the file."""
        super().close()
        self._writer.close()

    def _write(self, rows: list[dict[str, Any]]) -> None:
        self._writer.write_table(table(rows))
