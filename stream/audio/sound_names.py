"""Which files are taken for sound: by their names, and by how they begin."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SUFFIXES: Final = frozenset({
    ".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2",
    ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".m4a", ".m4b", ".aac", ".wma", ".ac3", ".eac3",
    ".amr", ".ape", ".mka", ".mpc", ".tta", ".wv", ".webm", ".mp4", ".m4v", ".mkv", ".mov", ".avi",
    ".mpg", ".mpeg", ".wmv", ".ts", ".mts", ".flv", ".3gp",
})  # fmt: skip
"""What is taken from a folder; a file that is named is always tried."""

SOUND_BEGINS: Final = (b"RIFF", b"FORM", b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b".snd", b"caff")


def is_sound(path: Path) -> bool:
    """Whether a file is there that is named like sound or begins like sound: nothing writes over it.

    Raises:
        OSError: it cannot be read.
    """
    if not path.is_file() or not path.stat().st_size:
        return False
    if path.suffix.casefold() in SUFFIXES:
        return True
    with path.open("rb") as file:
        return file.read(8).startswith(SOUND_BEGINS)
