"""The files of recordings in a folder that others may use: made exclusively, and never mistaken.

A finished clip is ours if its name has our strict form *and* a session log in the folder names it;
an unfinished one if its name has the strict form and that of a session log in the folder. Links are
never followed. Nothing here has threads.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
STALE_S: Final = 60.0
"""Where files cannot be locked, one not written to for so long (seconds) is of a run that ended."""

MAX_NAMES: Final = 10_000
"""So many files may have the same name but for a counter."""

_BEGIN: Final = r"(\d{8}T\d{6}\.\d{3}Z|\d{6,}\.\d{3}s)_[\w.+()-]+"
_CLIP: Final = re.compile(_BEGIN + r"\.flac")
_SESSION: Final = r"\d{8}T\d{6}Z-\d+"
_PART: Final = re.compile(rf"\.(?P<stem>{_BEGIN})\.(?P<session>{_SESSION})(-\d+)?\.(part|rescue)")
LOG_SUFFIX: Final = ".session.jsonl"
_LOG: Final = re.compile(_SESSION + re.escape(LOG_SUFFIX))
_LISTING: Final = b'{"type": "recording", '
"""How a line begins that names a file of ours."""


@dataclass(frozen=True)
class OwnFile:
    """A finished clip or a log: its path, size in bytes, and time of the last change."""

    path: Path
    size: int
    changed_at: float


def listing(name: str, **facts: object) -> str:
    """Returns the line of a session log that makes a file ours."""
    return json.dumps({"type": "recording", "file": name, **facts}, ensure_ascii=False)


def part_stem(stem: str, log: Path) -> str:
    """Returns how the name of an unfinished clip of this session begins."""
    return f".{stem}.{log.name.removesuffix(LOG_SUFFIX)}"


def stem_of(part: Path) -> str:
    """Returns what the name of the finished clip is to begin with."""
    match = _PART.fullmatch(part.name)
    return match["stem"] if match else part.stem.lstrip(".")


class OwnFiles:
    """Makes, finds and removes our files in a folder.

    Args:
        folder: is made, for its owner only, if there is none.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._listed: set[str] = set()
        self._read_to: dict[str, int] = {}  # log -> bytes read of it
        folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)

    def create(self, before: str, after: str) -> tuple[int, Path]:
        """Makes a file ``<before><after>``, or ``<before>-2<after>`` and so on if there is one.

        Returns:
            its descriptor, open for reading and writing and locked, and its path.

        Raises:
            OSError: it cannot be made.
        """
        for path in self._numbered(before, after):
            with contextlib.suppress(FileExistsError):
                return self.create_exactly(path), path
        raise FileExistsError(f"expected a free name for {before + after!r}, found none")

    def create_exactly(self, path: Path) -> int:
        """Makes this file; returns its descriptor, open for reading and writing, and locked.

        Raises:
            FileExistsError: there is something of this name.
            OSError: it cannot be made.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, FILE_MODE)
        with contextlib.suppress(OSError):  # not every file system has locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor

    def publish(self, part: Path, before: str, after: str) -> Path:
        """Gives an unfinished file its name, numbered as in ``create``; nothing is overwritten.

        The unfinished name may stay as a second one, until the log names the file: to be removed.

        Raises:
            OSError: it cannot be named.
        """
        for path in self._numbered(before, after):
            try:
                os.link(part, path, follow_symlinks=False)
            except FileExistsError:
                continue
            except OSError:  # a file system without hard links
                if os.path.lexists(path):
                    continue
                if not part.exists():
                    raise
                os.rename(part, path)
            return path
        raise FileExistsError(f"expected a free name for {before + after!r}, found none")

    def remove(self, path: Path) -> None:
        """Removes a file of ours, if it is still there and no link."""
        if _is_file(path):
            path.unlink(missing_ok=True)

    def finished(self) -> list[OwnFile]:
        """Our clips and logs, oldest first.

        Raises:
            OSError: the folder cannot be read.
        """
        self._learn()
        found = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                name = entry.name
                ours = (name in self._listed and _CLIP.fullmatch(name)) or _LOG.fullmatch(name)
                if ours and entry.is_file(follow_symlinks=False):
                    facts = entry.stat(follow_symlinks=False)
                    found.append(OwnFile(Path(entry.path), facts.st_size, facts.st_mtime))
        return sorted(found, key=lambda file: (file.changed_at, file.path.name))

    def unfinished(self) -> list[OwnFile]:
        """Our clips that were never finished, whoever writes them, oldest first.

        Raises:
            OSError: the folder cannot be read.
        """
        found = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                match = _PART.fullmatch(entry.name)
                ours = match and _is_file(self.folder / f"{match['session']}{LOG_SUFFIX}")
                if ours and entry.is_file(follow_symlinks=False):
                    facts = entry.stat(follow_symlinks=False)
                    found.append(OwnFile(Path(entry.path), facts.st_size, facts.st_mtime))
        return sorted(found, key=lambda file: (file.changed_at, file.path.name))

    def finished_name(self, part: Path) -> Path | None:
        """The other name of an unfinished clip, which it has if a kill came right after it got it.

        Raises:
            OSError: the folder cannot be read.
        """
        facts = part.lstat()
        if facts.st_nlink == 1:
            return None
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.inode() == facts.st_ino and _CLIP.fullmatch(entry.name):
                    return Path(entry.path)
        return None

    def _learn(self) -> None:
        """Reads what is new in the session logs of all runs."""
        with os.scandir(self.folder) as entries:
            logs = [e.path for e in entries if _LOG.fullmatch(e.name)]
        for path in logs:
            if not _is_file(Path(path)):
                continue
            with open(path, "rb") as file:
                file.seek(self._read_to.get(path, 0))
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # of a run that writes it now, or that was killed
                    self._read_to[path] = self._read_to.get(path, 0) + len(line)
                    if line.startswith(_LISTING):
                        self._listed.update(_names(line))

    def _numbered(self, before: str, after: str) -> Iterator[Path]:
        yield self.folder / f"{before}{after}"
        for number in range(2, MAX_NAMES):
            yield self.folder / f"{before}-{number}{after}"


def is_abandoned(path: Path) -> bool:
    """Whether no running program writes an unfinished clip."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except OSError:  # no locks here
        return time.time() - os.fstat(descriptor).st_mtime > STALE_S
    finally:
        os.close(descriptor)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _names(line: bytes) -> Iterator[str]:
    try:
        facts = json.loads(line)
    except (ValueError, RecursionError):
        return
    if isinstance(name := facts.get("file"), str):
        yield name
