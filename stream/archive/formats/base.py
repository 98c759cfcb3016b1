"""What a format is: rows that are added to one file, or a document for every sound file."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import ClassVar

from mmgat.stream.archive.result import FileResult, Origin


class Format(ABC):
    """A form of results.

    Attributes:
        name: as in ``--format``.
        suffix: of its files.
        takes_windows: it can have the scores of every window.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    takes_windows: ClassVar[bool] = False


class RowFormat(Format):
    """Rows of all files, one below the other."""

    def header(self, origin: Origin, windows: bool) -> bytes:
        """What stands before the first row."""
        return b""

    @abstractmethod
    def rows(self, result: FileResult, origin: Origin) -> bytes:
        """The rows of a file."""


class DocumentFormat(Format):
    """A document for every file."""

    @abstractmethod
    def document(self, result: FileResult, origin: Origin) -> bytes:
        """The document of a file."""


def shown(file: str) -> str:
    """A path as text that every encoding of Unicode takes: other bytes become ``\\xff`` and so on."""
    return os.fsencode(file).decode("utf-8", "backslashreplace")
