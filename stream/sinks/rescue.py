"""Clips of a run that was killed: what they hold becomes a whole file that players accept."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import soundfile

from mmgat.stream.audio.file import FileSource
from mmgat.stream.errors import SourceError
from mmgat.stream.sinks.own_files import OwnFiles, is_abandoned, listing, part_stem, stem_of

log = logging.getLogger(__name__)


def rescue(files: OwnFiles, session_log: Path, add_to_log: Callable[[str], None]) -> None:
    """Encodes every abandoned clip anew as ``..._interrupted.flac``, and removes the damaged one.

    The header of a FLAC that was never closed has no length, and many readers refuse it.

    Args:
        files: finds them.
        session_log: of this session; the unfinished files carry its name.
        add_to_log: takes a line of the session log.

    Raises:
        OSError: the folder cannot be read.
    """
    for part in files.unfinished():
        if not is_abandoned(part.path):
            continue
        try:
            if (finished := files.finished_name(part.path)) is not None:
                add_to_log(listing(finished.name))
            elif part.path.suffix == ".part":  # else a rescue that is begun anew
                _rescue(part.path, files, session_log, add_to_log)
        except (OSError, soundfile.SoundFileError) as error:
            log.warning("a clip of an earlier run is left as it is: %s", error)
            continue
        files.remove(part.path)


def _rescue(
    part: Path, files: OwnFiles, session_log: Path, add_to_log: Callable[[str], None]
) -> None:
    stem, n_frames = stem_of(part), 0
    source, whole = FileSource(part), None
    try:
        with source:
            rate, channels = source.sample_rate_hz, source.channels
            descriptor, whole = files.create(part_stem(stem, session_log), ".rescue")
            with soundfile.SoundFile(
                descriptor, "w", rate, channels, "PCM_16", format="FLAC"
            ) as file:
                while (block := source.read()) is not None:
                    file.write(block.samples)
                    n_frames += len(block.samples)
    except SourceError:  # there is not a frame in it
        if whole is not None:
            files.remove(whole)
        return
    name = files.publish(whole, f"{stem}_interrupted", ".flac").name
    add_to_log(listing(name, seconds=round(n_frames / rate, 3)))
    files.remove(whole)
