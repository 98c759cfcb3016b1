"""What of a run is done: a file of lines beside its results, by which a killed run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from mmgat.stream.archive.result import Origin
from mmgat.stream.errors import OutputError


class Journal:
    """Names the files whose results are safely written.

    The first line says what the run is. Each further one is a list of how far the results reach, in
    bytes, and the file. Results are written first and named afterwards; what stands behind the last
    named one is cut off when the run goes on. So no result is lost, and none is there twice.

    Args:
        path: where it is kept.
        form: format of the results.
        origin: model and settings.
        resume: go on with the journal that is there.

    Attributes:
        done: the files that are named, as text.
        end: how far the results of these reach, in bytes.

    Raises:
        OutputError: it is of a run with another model, other settings or another format.
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, form: str, origin: Origin, resume: bool) -> None:
        self.done: set[str] = set()
        self.end = 0
        head = json.loads(json.dumps({"journal": 1, "format": form, **asdict(origin)}))
        length = self._read(path, head) if resume and path.exists() else 0
        self._file: BinaryIO = path.open("r+b" if length else "wb")
        self._file.truncate(length)
        self._file.seek(length)
        if not length:
            self._write([head])

    def add(self, files: Iterable[tuple[str, int]]) -> None:
        """Names files whose results are written: (file, where its result ends in bytes)."""
        self._write([[end, file] for file, end in files])

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, rows: list[Any]) -> None:
        if rows:
            self._file.write("".join(json.dumps(row) + "\n" for row in rows).encode("ascii"))
            self._file.flush()
            os.fsync(self._file.fileno())

    def _read(self, path: Path, head: dict[str, Any]) -> int:
        """Takes over what is named; returns the length of the whole lines."""
        data = path.read_bytes()
        length = data.rfind(b"\n") + 1
        if not length:
            return 0
        first, *lines = data[:length].splitlines()
        try:
            found = json.loads(first)
            rows = json.loads(b"[" + b",".join(lines) + b"]")
            self.done = {file for _, file in rows}
            self.end = rows[-1][0] if rows else 0
        except (ValueError, TypeError, AttributeError):
            raise OutputError(
                f"expected the journal of a run in {str(path)!r}, found something else: "
                "--overwrite begins anew"
            ) from None
        for name, value in head.items():
            if found.get(name) != value:
                raise OutputError(
                    f"expected a run with {name} {found.get(name)!r} to go on, as in {str(path)!r}, "
                    f"found {value!r}: use the same, or another --out"
                )
        return length
