"""The sound of a file: libsndfile where it reads the format, else FFmpeg through PyAV."""

from __future__ import annotations

from pathlib import Path

from mmgat.stream.audio.file import RAW_SUFFIXES, FileSource, FormatError
from mmgat.stream.audio.recorded import RecordedSource
from mmgat.stream.errors import SourceError


def sound_source(path: Path, paced: bool = False) -> RecordedSource:
    """The source of a file, not opened; what is wrong with the file, its ``probe`` says.

    Args:
        path: the file.
        paced: in real time, as a stage would hear it, instead of as fast as it is taken.
    """
    source = FileSource(path, paced)
    try:
        source.probe()
    except FormatError:
        return _av_source(path, paced) or source
    except SourceError:
        pass
    return source


def open_sound(path: Path) -> RecordedSource:
    """The opened source of a file, as fast as it is taken; opened once if libsndfile reads it.

    Raises:
        SourceError: missing, empty, or not audio; or PyAV is not installed, and libsndfile does not
            read the file.
    """
    source = FileSource(path)
    try:
        source.open()
        return source
    except FormatError:
        other = _av_source(path)
        if other is None:
            raise
    other.open()
    return other


def _av_source(path: Path, paced: bool = False) -> RecordedSource | None:
    """FFmpeg's source; None without PyAV, and of raw samples, which FFmpeg takes for video."""
    if path.suffix.casefold() in RAW_SUFFIXES:
        return None
    try:
        from mmgat.stream.audio.av_file import AvSource
    except ModuleNotFoundError:
        return None
    return AvSource(path, paced)
