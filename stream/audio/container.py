"""What the container of an audio file says of its length, and whether to believe it.

libsndfile reads as many frames as the header declares. Recorders that were killed and writers into
pipes leave no length or a false one, so the header is corrected on the way to libsndfile; and a
file that is cut has less than it declares, which libsndfile passes over in silence.

Layouts: RIFF (Microsoft, 1991), RF64 (EBU Tech 3306), AIFF (Apple, 1989), CAF (Apple, 2005), AU (Sun),
FLAC (RFC 9639), Ogg (RFC 3533), and the Xing,
Info and VBRI headers of MP3.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

HEAD_BYTES: Final = 65_536
TAIL_BYTES: Final = 65_536
NO_LENGTH: Final = 0x7FFF_0000
"""RIFF sizes from here on mean that the writer did not know: ffmpeg and sox write such numbers."""

STRETCH: Final = 64
"""An MP3 without a count of frames is presented as so many times longer, since libsndfile ends at an
estimate from the first frame. MP3's bit rates differ by a factor of 40."""

MP3_EXTRA_SHARE: Final = 0.1
"""An MP3 that is longer by this share than its Xing header says has more sound behind it."""

SLOPPY_BYTES: Final = 64
"""Some writers count the header, or a part of it, in the sizes."""

_PCM_TAGS: Final = (1, 3, 0xFFFE)
_OGG_LAST_PAGE: Final = 0x04


@dataclass(frozen=True)
class Container:
    """What was found.

    Attributes:
        frames: that the header declares; None where it declares none that can be believed.
        no_length: the header has no length although its format has a place for one.
        cut: the mark of the end is missing.
        patches: offset -> bytes to read there instead.
        length: in bytes, as to be presented; None for the file's own.
        end: where the sound ends if tags follow it, in bytes; None for the end of the file.
    """

    frames: int | None
    no_length: bool = False
    cut: bool = False
    patches: Mapping[int, bytes] = field(default_factory=dict)
    length: int | None = None
    end: int | None = None

    @property
    def as_it_is(self) -> bool:
        """Whether the file can be read without corrections."""
        return not self.patches and self.length is None and self.end is None


def inspect(path: Path) -> Container:
    """Reads what the container says of its length.

    A format that is not known here is presented as it is.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(HEAD_BYTES)
        if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
            return _wav(file, size)
        if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
            return _aiff(file, size)
        if head[:4] == b"RF64":
            return _rf64(file, size)
        if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            return Container(None, cut=_is_cut(int.from_bytes(head[4:8], "little"), size - 8))
        if head[:4] in (b".snd", b"dns."):
            return _au(head, size)
        if head[:4] == b"caff":
            return _caf(file, size)
        if head[:4] == b"OggS":
            return _ogg(file, size)
        if head[:3] == b"ID3":  # tags before FLAC or MP3, whose length is in seven bits a byte
            behind = 10 + sum((head[6 + i] & 0x7F) << (21 - 7 * i) for i in range(4))
            file.seek(behind)
            head = file.read(HEAD_BYTES)
        else:
            behind = 0
        if head[:4] == b"fLaC":
            return _flac(head, behind, size)
        if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
            return _mp3(file, head, behind, size)
        return Container(None)


def _wav(file: BinaryIO, size: int) -> Container:
    frame_bytes = 0
    for name, start, length in _chunks(file, size, "little"):
        if name == b"fmt " and length >= 16:
            file.seek(start)
            form = file.read(16)
            if int.from_bytes(form[:2], "little") in _PCM_TAGS:
                frame_bytes = int.from_bytes(form[12:14], "little")
        if name == b"data":
            if start + length > size and length < NO_LENGTH:
                frames = length // frame_bytes if frame_bytes else None
                return Container(frames, cut=frames is None)
            left = size - start - length
            lies = left > length and not _chunks_follow(file, start + length, size)
            if lies or length >= NO_LENGTH:
                unknown = b"\xff" * 4
                return Container(None, lies, patches={4: unknown, start - 4: unknown})
            break
    return Container(None)


def _rf64(file: BinaryIO, size: int) -> Container:
    """A WAV whose sizes are of 64 bits, in its first chunk; a recorder fills them in at its end."""
    n_bytes, at = -1, 0
    for name, start, length in _chunks(file, size, "little"):
        if name == b"ds64":
            file.seek(start + 8)
            n_bytes, at = int.from_bytes(file.read(8), "little"), start + 8
        elif name == b"data":
            if length == 0xFFFF_FFFF and not n_bytes and size > start:
                left = (size - start).to_bytes(8, "little")
                return Container(None, no_length=True, patches={at: left})
            break
    return Container(None)


def _au(head: bytes, size: int) -> Container:
    """The size of the sound in bytes follows the offset of the sound."""
    order: Literal["big", "little"] = "big" if head[:4] == b".snd" else "little"
    if head[8:12] == bytes(4) and size > int.from_bytes(head[4:8], order):
        return Container(None, no_length=True, patches={8: b"\xff" * 4})
    return Container(None)


def _caf(file: BinaryIO, size: int) -> Container:
    """libsndfile refuses a size beyond the file; -1 means to its end."""
    at = 8
    while at + 12 <= size:
        file.seek(at)
        header = file.read(12)
        length = int.from_bytes(header[4:], "big", signed=True)
        if header[:4] == b"data":
            if at + 12 + length > size:
                left = (size - at - 12).to_bytes(8, "big")
                return Container(None, cut=True, patches={at + 4: left})
            break
        at += 12 + max(0, length)
    return Container(None)


def _aiff(file: BinaryIO, size: int) -> Container:
    frames = None
    for name, start, length in _chunks(file, size, "big"):
        if name == b"COMM":
            file.seek(start + 2)
            frames = int.from_bytes(file.read(4), "big")
        if name == b"SSND":
            if not length and size > start + 8:  # libsndfile reads on by itself
                return Container(None, no_length=True)
            return Container(frames if start + length > size else None)
    return Container(None)


def _flac(head: bytes, start: int, size: int) -> Container:
    """STREAMINFO counts samples in the last 36 bits before its MD5; zero means unknown."""
    counted = int.from_bytes(head[21:26], "big") & 0xF_FFFF_FFFF
    if not counted or len(head) < 26:
        return Container(None)
    return Container(counted, patches={start + 21: bytes([head[21] & 0xF0]) + bytes(4)})


def _ogg(file: BinaryIO, size: int) -> Container:
    file.seek(max(0, size - TAIL_BYTES))
    tail = file.read()
    last = tail.rfind(b"OggS")
    ends = last >= 0 and len(tail) > last + 5 and bool(tail[last + 5] & _OGG_LAST_PAGE)
    return Container(None, cut=not ends)


def _mp3(file: BinaryIO, head: bytes, start: int, size: int) -> Container:
    """A Xing or Info header counts frames and bytes if its flags say so; VBRI always does."""
    end = _before_tags(file, size)
    first = head[:2048]
    tag = max(first.find(b"Xing"), first.find(b"Info"))
    if tag >= 0 and head[tag + 7] & 0x03 == 0x03:
        n_bytes = int.from_bytes(head[tag + 12 : tag + 16], "big")
    elif (tag := first.find(b"VBRI")) >= 0:
        n_bytes = int.from_bytes(head[tag + 10 : tag + 14], "big")
    else:
        return Container(None, length=STRETCH * size, end=end)
    if end - start > (1 + MP3_EXTRA_SHARE) * n_bytes:
        patches = {start + tag: bytes(4)}
        return Container(None, patches=patches, length=STRETCH * size, end=end)
    return Container(None)


def is_cut(logged: str) -> bool:
    """Whether libsndfile's log of a header says that there is less than the header declares."""
    sizes = re.findall(r": (\d+) \(should be (\d+)\)", logged)
    return "truncated" in logged or any(_is_cut(int(says), int(has)) for says, has in sizes)


def _is_cut(declared: int, found: int) -> bool:
    """Not where the writer did not know the size, or counted parts of the header."""
    top = declared >> 16
    return declared > found + SLOPPY_BYTES and top not in (0x7FFF, 0xFFFF) and declared < 1 << 62


def _before_tags(file: BinaryIO, size: int) -> int:
    """Where the sound of an MP3 ends: before an ID3v1 tag of 128 bytes, and an APE tag before that."""
    file.seek(max(0, size - 128))
    end = size - 128 if file.read(3) == b"TAG" else size
    file.seek(max(0, end - 32))
    footer = file.read(32)
    if footer[:8] == b"APETAGEX":  # its size counts the footer, but not the header of 32 bytes
        end -= int.from_bytes(footer[12:16], "little") + (32 if footer[23] & 0x80 else 0)
    return max(0, end)


def _chunks(file: BinaryIO, size: int, order: Any) -> Iterator[tuple[bytes, int, int]]:
    """Name, offset of the content, and length of every chunk behind the first 12 bytes."""
    at = 12
    while at + 8 <= size:
        file.seek(at)
        header = file.read(8)
        length = int.from_bytes(header[4:], order)
        yield header[:4], at + 8, length
        at += 8 + length + length % 2


def _chunks_follow(file: BinaryIO, at: int, size: int) -> bool:
    """Whether the rest of a RIFF file, from ``at`` on, is chunks to its end."""
    while at + 8 <= size:
        file.seek(at)
        header = file.read(8)
        if not all(32 <= byte < 127 for byte in header[:4]):
            return False
        length = int.from_bytes(header[4:], "little")
        at += 8 + length + length % 2
    return at <= size + 1
