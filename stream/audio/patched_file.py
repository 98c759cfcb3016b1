"""A file as ``container.inspect`` wants libsndfile to see it."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from mmgat.stream.audio.container import TAIL_BYTES, Container


class PatchedFile(io.RawIOBase):
    """The bytes of a file with some replaced, and with a length of its own.

    Args:
        path: the file.
        container: says what is replaced, and the length.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, container: Container) -> None:
        self._file = path.open("rb")
        self._patches = container.patches
        size = os.fstat(self._file.fileno()).st_size
        self._size = size if container.end is None else container.end
        self._length = container.length or size
        self._position = 0
        self._patched_to = max((at + len(new) for at, new in self._patches.items()), default=0)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to ``offset`` bytes from the start, the position or the presented end."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        """The position in bytes."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fills the buffer as far as there are bytes; the presented end reads as zeros."""
        if self._position >= self._size:
            # A decoder looks for tags at what it takes for the end, and only there.
            n = len(buffer) if self._position >= self._length - TAIL_BYTES > self._size else 0
            buffer[:n] = bytes(n)
            self._position += n
            return n
        if self._file.tell() != self._position:
            self._file.seek(self._position)
        view = memoryview(buffer)[: self._size - self._position]
        n_read = self._file.readinto(view)
        if self._position < self._patched_to:
            for offset, patch in self._patches.items():
                for index, value in enumerate(patch, offset - self._position):
                    if 0 <= index < n_read:
                        view[index] = value
        self._position += n_read
        return n_read

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        super().close()
