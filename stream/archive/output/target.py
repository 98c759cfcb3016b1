"""Where results go: standard output, one file, or a folder; with a journal, so that a run can go on."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from mmgat.stream.archive.formats.base import DocumentFormat, Format, RowFormat
from mmgat.stream.archive.inputs import Inputs
from mmgat.stream.archive.output.journal import Journal
from mmgat.stream.archive.result import FileResult, Origin
from mmgat.stream.audio.sound_names import is_sound
from mmgat.stream.errors import OutputError

JOURNAL: Final = "mmgat-tag.journal"
"""In a folder; beside a file it is the file's name with ``.journal`` behind it."""


@dataclass(frozen=True)
class Target:
    """Where the results of a run are to go.

    Attributes:
        form: the format.
        out: a file, a folder, or None for standard output.
        windows: rows are windows.
        resume: go on with what is there.
        overwrite: begin anew over what is there.
    """

    form: Format
    out: Path | None
    windows: bool = False
    resume: bool = False
    overwrite: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether the results are files in a folder: it is one, or its name has no suffix."""
        return self.out is not None and (self.out.is_dir() or not self.out.suffix)

    def check(self, n_files: int) -> None:
        """Finds out before anything is done whether results can go there.

        Raises:
            OutputError: they cannot.
        """
        if self.resume and self.out is None:
            raise OutputError(
                "expected --out with --resume, found none: name where the results are"
            )
        if self.out is None and sys.stdout is None:
            raise OutputError("expected a standard output for results, found it closed: give --out")
        if self.resume and self.overwrite:
            raise OutputError("expected --resume or --overwrite, found both")
        if isinstance(self.form, DocumentFormat) and n_files > 1 and not self.is_folder:
            raise OutputError(
                f"expected a folder for {n_files} files of --format {self.form.name}: --out FOLDER"
            )
        if self.form.name == "parquet":
            if self.out is None:
                raise OutputError(
                    "expected --out FOLDER or --out FILE.parquet for --format parquet, found none"
                )
            if self.resume and not self.is_folder:
                raise OutputError(
                    "expected a folder with --resume and --format parquet, found a file: a Parquet "
                    "file cannot be added to"
                )
        if self.out is not None and not self.is_folder and is_sound(self.out):
            raise OutputError(
                f"expected a file for results with --out, found sound in {str(self.out)!r}, which is "
                "never written over: name another"
            )
        places = [self.journal_path, None if self.is_folder else self.out]
        found = any(place is not None and place.exists() for place in places)
        if found and not (self.resume or self.overwrite):
            raise OutputError(
                f"expected nothing yet at {str(self.out)!r}, found results: --resume goes on with "
                "them, --overwrite begins anew"
            )

    @property
    def journal_path(self) -> Path | None:
        """Where the journal is kept."""
        if self.out is None:
            return None
        if self.is_folder:
            return self.out / JOURNAL
        return self.out.with_name(self.out.name + ".journal")

    def open(self, inputs: Inputs, origin: Origin) -> Output:
        """Opens the output.

        Raises:
            OutputError: see ``Journal``.
            OSError: it cannot be written.
        """
        if self.out is None:
            return RowsOutput(self, sys.stdout.buffer, origin, None)
        folder = self.out if self.is_folder else self.out.parent
        folder.mkdir(parents=True, exist_ok=True)
        assert self.journal_path is not None
        form = self.form.name + (" windows" if self.windows else "")
        journal = Journal(self.journal_path, form, origin, self.resume)
        if self.form.name == "parquet":
            from mmgat.stream.archive.output.parquet import ParquetFile, ParquetParts

            if self.is_folder:
                return ParquetParts(self.out, origin, journal)
            return ParquetFile(self.out, origin, journal)
        if self.is_folder:
            return FolderOutput(self, inputs, origin, journal)
        new = not self.out.exists() or not self.resume
        file = self.out.open("wb" if new else "r+b")
        return RowsOutput(self, file, origin, journal)


class Output(ABC):
    """Takes results. What was flushed is named in the journal, and stays when the run is killed.

    Attributes:
        done: files that are done already, as text.
    """

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal
        self.done = journal.done if journal else set()

    @abstractmethod
    def add(self, result: FileResult) -> None:
        """Takes a result."""

    def add_error(self, file: str, error: str) -> None:  # noqa: B027  nothing unless there is a place
        """Takes the fault of a file, where the format has a place for it."""

    @abstractmethod
    def flush(self) -> None:
        """Writes what it has taken, and names it in the journal."""

    def close(self) -> None:
        """Flushes and closes it."""
        self.flush()
        if self._journal:
            self._journal.close()


class RowsOutput(Output):
    """Results one below the other: rows, or the one document there is.

    Args:
        target, origin: what is written.
        file: to which it is written.
        journal: names what is done; without it each result is flushed at once.
    """

    def __init__(
        self, target: Target, file: BinaryIO, origin: Origin, journal: Journal | None
    ) -> None:
        super().__init__(journal)
        self._target, self._file, self._origin = target, file, origin
        self._to_name: list[tuple[str, int]] = []
        self._end = 0
        if journal:
            self._end = journal.end
            file.truncate(self._end)
            file.seek(self._end)
        if isinstance(target.form, RowFormat) and not self._end:
            self._write(target.form.header(origin, target.windows))

    def add(self, result: FileResult) -> None:
        """Writes the rows of a file."""
        self._write(written(self._target.form, result, self._origin))
        self._to_name.append((result.file, self._end))
        if self._journal is None:
            self._file.flush()

    def flush(self) -> None:
        """Sees that it is on the disk before the journal says so."""
        self._file.flush()
        if self._journal and self._to_name:
            os.fsync(self._file.fileno())
            self._journal.add(self._to_name)
        self._to_name.clear()

    def close(self) -> None:
        """Flushes; standard output stays open."""
        super().close()
        if self._journal:
            self._file.close()

    def _write(self, data: bytes) -> None:
        self._end += self._file.write(data)


class FolderOutput(Output):
    """A file for every sound file, at the same place below the folder.

    ``song.flac`` becomes ``song.srt``. Where two would take the same name, each keeps its whole name
    before the suffix.

    Args:
        target, inputs, origin: what is written, of which files.
        journal: names what is done.
    """

    def __init__(self, target: Target, inputs: Inputs, origin: Origin, journal: Journal) -> None:
        super().__init__(journal)
        self._target, self._inputs, self._origin = target, inputs, origin
        self._to_name: list[str] = []
        self._n_with = Counter(map(self._stem, inputs.files))

    def add(self, result: FileResult) -> None:
        """Writes a file's own file, which is there as a whole or not at all."""
        form, path = self._target.form, self._path(result.file)
        header = b""
        if isinstance(form, RowFormat):
            header = form.header(self._origin, self._target.windows)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(path.name + ".part")
        unfinished.write_bytes(header + written(form, result, self._origin))
        unfinished.replace(path)
        self._to_name.append(result.file)

    def flush(self) -> None:
        """Names what is written."""
        assert self._journal is not None
        self._journal.add((file, 0) for file in self._to_name)
        self._to_name.clear()

    def _stem(self, file: str) -> Path:
        return self._inputs.relative(file).with_suffix("")

    def _path(self, file: str) -> Path:
        assert self._target.out is not None
        stem, suffix = self._stem(file), self._target.form.suffix
        if self._n_with[stem] > 1:
            stem = self._inputs.relative(file)
        return self._target.out / stem.with_name(stem.name + suffix)


def written(form: Format, result: FileResult, origin: Origin) -> bytes:
    """A result in a format of rows or documents."""
    if isinstance(form, RowFormat):
        return form.rows(result, origin)
    assert isinstance(form, DocumentFormat)
    return form.document(result, origin)
