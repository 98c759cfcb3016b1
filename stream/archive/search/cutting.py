"""Cuts stretches out of sound files."""

from __future__ import annotations

import os
from pathlib import Path

import soundfile

from mmgat.stream.archive.search.stretches import Found
from mmgat.stream.audio.sound_file import open_sound
from mmgat.stream.errors import OutputError, SourceError
from mmgat.stream.sinks.recording_folder import MAX_CHANNELS, holds_rate


def cut(stretches: list[Found], folder: Path) -> list[Path]:
    """Writes stretches of one file as FLAC, 24 bits, at the file's own rate and channels.

    ``song.ogg`` from 12.5 to 19 seconds becomes ``song 12.50-19.00.flac``.

    Args:
        stretches: of the same file, in order; they may not overlap.
        folder: where they go; it is made.

    Returns:
        The files.

    Raises:
        SourceError: the file is missing, or not audio.
        OutputError: there is such a file already, of another sound file, or FLAC cannot hold it.
    """
    path = Path(stretches[0].file)
    folder.mkdir(parents=True, exist_ok=True)
    source = open_sound(path)
    written: list[Path] = []
    try:
        rate_hz, channels = source.sample_rate_hz, source.channels
        if channels > MAX_CHANNELS or not holds_rate(rate_hz):
            raise OutputError(
                f"expected at most {MAX_CHANNELS} channels at a rate that FLAC holds, found {channels} "
                f"at {rate_hz} Hz in {str(path)!r}: it cannot be cut"
            )
        block = source.read()
        for found in stretches:
            target = folder / f"{path.stem} {found.t0:.2f}-{found.t1:.2f}.flac"
            if target.exists():
                raise OutputError(
                    f"expected nothing yet at {str(target)!r}, found a file: use another folder"
                )
            begin, end = round(found.t0 * rate_hz), round(found.t1 * rate_hz)
            with soundfile.SoundFile(os.fsencode(target), "w", rate_hz, channels, "PCM_24") as file:
                while block is not None:
                    first = max(begin - block.position, 0)
                    file.write(block.samples[first : max(end - block.position, 0)])
                    if block.end >= end:
                        break
                    block = source.read()
            written.append(target)
    finally:
        source.close()
    if not written:
        raise SourceError(f"expected stretches of {str(path)!r}, found none")
    return written
