"""The log of a session: JSON lines in files of bounded size, which survives a full disk."""

from __future__ import annotations

import contextlib
import errno
import os
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mmgat.stream.sinks.own_files import OwnFiles

LOG_PART_BYTES: Final = 8_000_000
"""A log grows to this and goes on in another file, so that old parts can go."""

MAX_PENDING: Final = 10_000
"""Lines kept for when the disk takes them again; beyond that the oldest are lost."""


class SessionLog:
    """Adds lines to a file of its own.

    Args:
        files: makes it.
        part_bytes: after which it goes on in another one.
        now: the time in UTC, for its name.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(
        self,
        files: OwnFiles,
        part_bytes: int = LOG_PART_BYTES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._files, self._part_bytes = files, part_bytes
        self._began = f"{now():%Y%m%dT%H%M%SZ}"
        self._n_parts = 0
        self._pending: deque[bytes] = deque(maxlen=MAX_PENDING)
        self._descriptor, self.path = self._next()
        self.size = 0
        self._is_closed = False

    def add(self, line: str) -> None:
        """Adds a line, after those that the disk has refused before.

        Raises:
            OSError: the disk refuses; the line is kept and tried again with the next one.
        """
        self._pending.append(line.encode("utf-8", "backslashreplace") + b"\n")
        self.flush()

    def flush(self) -> None:
        """Writes what the disk has refused before.

        Raises:
            OSError: it refuses again.
        """
        if not self._pending:
            return
        if not self._is_there() or self.size > self._part_bytes:
            descriptor, path = self._next()
            os.close(self._descriptor)
            self._descriptor, self.path, self.size = descriptor, path, 0
        while self._pending:
            line = self._pending[0]
            written = os.write(self._descriptor, line)
            if written < len(line):  # the disk is full: take back the part of a line
                os.ftruncate(self._descriptor, self.size)
                os.lseek(self._descriptor, self.size, os.SEEK_SET)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.size += written
            self._pending.popleft()

    def close(self) -> None:
        """Writes what the disk has refused before, if it takes it now, and closes the file."""
        if self._is_closed:
            return
        with contextlib.suppress(OSError):
            self.flush()
        self._is_closed = True
        os.close(self._descriptor)

    def _next(self) -> tuple[int, Path]:
        """A new file; its number counts on until one is free."""
        while True:
            self._n_parts += 1
            path = self._files.folder / f"{self._began}-{self._n_parts}.session.jsonl"
            with contextlib.suppress(FileExistsError):  # of another run of the same second
                return self._files.create_exactly(path), path

    def _is_there(self) -> bool:
        """False once the file, or its folder, has been removed."""
        try:
            there, here = os.lstat(self.path), os.fstat(self._descriptor)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
