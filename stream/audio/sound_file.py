"""The sound of a file: libsndfile where it reads the format, else FFmpeg through PyAV."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mmgat.stream.audio.file import RAW_SUFFIXES, FileSource, FormatError
from mmgat.stream.errors import SourceError

if TYPE_CHECKING:
    from mmgat.stream.audio.av_file import AvSource


def sound_source(path: Path, paced: bool = False) -> FileSource | AvSource:
    """The source of a file, not opened; what is wrong with the file, its ``probe`` says.

    Args:
        path: the file.
        paced: in real time, as a stage would hear it, instead of as fast as it is taken.
    """
    source = FileSource(path, paced)
    try:
        source.probe()
    except FormatError:
        if path.suffix.casefold() not in RAW_SUFFIXES:  # FFmpeg takes them for video
            with suppress(ModuleNotFoundError):
                from mmgat.stream.audio.av_file import AvSource

                return AvSource(path, paced)
    except SourceError:
        pass
    return source


def open_sound(path: Path) -> FileSource | AvSource:
    """The opened source of a file, as fast as it is taken.

    Raises:
        SourceError: missing, empty, or not audio; or PyAV is not installed, and libsndfile does not
            read the file.
    """
    source = sound_source(path)
    source.open()
    return source
