"""Lines of text on a descriptor: whole lines, one system call each, no buffer that could be stuck."""

from __future__ import annotations

import io
import os
import re
import select
from pathlib import Path
from typing import Final, TextIO

_STDERR: Final = 2
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """The text with its control characters, escape sequences among them, as ``\\x1b`` and so on."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)


class LineWriter:
    """Writes lines to a descriptor, or to a stream that has none (one in memory, in tests).

    A line that a full disk cut off is ended before the next one is written.

    Args:
        target: a descriptor, or such a stream.
        encoding: characters it has not are written as escapes.
    """

    def __init__(self, target: int | TextIO, encoding: str = "utf-8") -> None:
        self._target, self._encoding = target, encoding
        self._cut_off = False

    @classmethod
    def to_file(cls, path: Path) -> LineWriter:
        """Lines are added to a file.

        Raises:
            OSError: it cannot be written.
        """
        return cls(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666))

    @classmethod
    def to_stream(cls, stream: TextIO | None, encoding: str = "") -> LineWriter | None:
        """Lines go where a standard stream goes; None if it is closed."""
        if stream is None:
            return None
        try:
            target: int | TextIO = stream.fileno()
        except (io.UnsupportedOperation, AttributeError):
            target = stream
        return cls(target, encoding or stream.encoding or "utf-8")

    @property
    def may_block(self) -> bool:
        """Whether its reader can make a writer wait."""
        return isinstance(self._target, int)

    def write(self, line: str) -> None:
        """Writes a line; waits as long as the reader does not take it.

        Raises:
            OSError: it cannot be written: the reader has gone, or the disk is full.
        """
        if not isinstance(self._target, int):
            print(line, file=self._target, flush=True)
            return
        data = (line + "\n").encode(self._encoding, "backslashreplace")
        rest = memoryview(b"\n" + data if self._cut_off else data)
        n_bytes = len(rest)
        try:
            while rest:
                try:
                    rest = rest[os.write(self._target, rest) :]
                except BlockingIOError:  # somebody made the descriptor non-blocking
                    select.select([], [self._target], [])
            self._cut_off = False
        except OSError:
            self._cut_off = self._cut_off or len(rest) < n_bytes
            raise

    def close(self) -> None:
        """Closes a file; standard streams stay open.

        Raises:
            OSError: the disk did not take the rest.
        """
        if isinstance(self._target, int) and self._target > _STDERR:
            os.close(self._target)
