"""Files, folders, globs, playlists and lists on standard input -> the files to annotate."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from mmgat.stream.audio.sound_names import SOUND_BEGINS, SUFFIXES

PLAYLISTS: Final = (".m3u", ".m3u8")

DESCRIPTORS: Final = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")
"""What a shell's ``<(...)`` gives."""


@dataclass
class Inputs:
    """The files that arguments stand for.

    Attributes:
        files: each once, in the order found; as text, which for a hundred thousand takes a fifth of
            the time.
        faults: what is wrong with an argument, in words.
        roots: folders that contain all of the files.
    """

    files: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    roots: set[str] = field(default_factory=set)

    def relative(self, path: str) -> Path:
        """A file's path below the folder that all arguments have in common."""
        root = os.path.commonpath(self.roots) if self.roots else os.sep
        return Path(os.path.relpath(os.path.abspath(path), root))


def find_inputs(arguments: Iterable[str], recursive: bool = False) -> Inputs:
    """The files that arguments of a command line stand for.

    Args:
        arguments: files; folders; patterns such as ``music/**/*.flac``; playlists (m3u, m3u8);
            ``-`` for a list on standard input, a file a line or NUL-separated.
        recursive: folders are searched; names that begin with a dot are left out.
    """
    found = Inputs()
    seen: set[str] = set()
    for argument in arguments:
        for item in _named(argument, found):
            for path in _below(item, recursive, found):
                if path not in seen:
                    seen.add(path)
                    found.files.append(path)
    return found


def _named(argument: str, found: Inputs) -> Iterator[str]:
    """What an argument names, before folders are searched."""
    if argument == "-":
        yield from _from_stdin(found)
    elif glob.has_magic(argument) and not os.path.lexists(argument):
        matches = sorted(glob.iglob(argument, recursive=True))
        if not matches:
            found.faults.append(f"expected files that match {argument!r}, found none")
        yield from matches
    else:
        yield argument


def _below(item: str, recursive: bool, found: Inputs) -> Iterator[str]:
    suffix = os.path.splitext(item)[1].casefold()
    if os.path.isdir(item):
        if not recursive:
            found.faults.append(
                f"expected an audio file, found a folder at {item!r}: -r takes the files in it"
            )
            return
        found.roots.add(os.path.abspath(item))
        is_empty = True
        for path in _files_in(item):
            is_empty = False
            yield path
        if is_empty:
            found.faults.append(f"expected sound files in the folder {item!r}, found none")
    elif suffix in PLAYLISTS and os.path.isfile(item):
        for path in _from_playlist(item, found):
            found.roots.add(os.path.dirname(os.path.abspath(path)))
            yield str(Path(path))
    elif item.startswith(DESCRIPTORS) and not os.path.isfile(item):
        found.faults.append(
            f"expected an audio file, found a pipe or device at {item!r}: send raw PCM to "
            "mmgat-stream --stdin, or write the sound to a file first"
        )
    else:
        if item.startswith(DESCRIPTORS):  # those of this process; workers have others
            item = os.path.realpath(item)
        found.roots.add(os.path.dirname(os.path.abspath(item)))
        yield str(Path(item))


def _files_in(folder: str) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        place = str(Path(parent))
        before = "" if place == os.curdir else os.path.join(place, "")
        for name in sorted(names):
            stem, _, suffix = name.rpartition(".")
            if stem and not stem.startswith(".") and f".{suffix}".casefold() in SUFFIXES:
                yield before + name


def _from_stdin(found: Inputs) -> list[str]:
    if sys.stdin is None:
        found.faults.append("expected a list of files on standard input, found it closed")
        return []
    data = sys.stdin.buffer.read()
    if data.startswith(SOUND_BEGINS):
        found.faults.append(
            "expected a list of files on standard input, found sound: give mmgat-tag the file's "
            "name, and mmgat-stream --stdin raw PCM"
        )
        return []
    separator = b"\0" if b"\0" in data else b"\n"
    lines = (os.fsdecode(line).rstrip("\r") for line in data.split(separator))
    return [line for line in lines if line]


def _from_playlist(path: str, found: Inputs) -> Iterator[str]:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        found.faults.append(f"expected a playlist, found {path!r} ({error.strerror})")
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:  # m3u without 8 is Latin-1
        text = data.decode("latin-1")
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith("#"):
            continue
        parts = urlsplit(line)
        if parts.scheme == "file":
            line = unquote(parts.path)
        elif "://" in line:
            found.faults.append(f"expected files in the playlist {path!r}, found {line!r}")
            continue
        yield os.path.join(os.path.dirname(path), line)
