"""The sound of a file: libsndfile where it reads the format, else FFmpeg through PyAV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from mmgat.stream.audio.file import FileSource, FormatError
from mmgat.stream.errors import SourceError

if TYPE_CHECKING:
    from mmgat.stream.audio.av_file import AvSource


RAW_SUFFIXES: Final = (".raw", ".pcm", ".sw", ".s16", ".f32")


def open_sound(path: Path) -> FileSource | AvSource:
    """The opened source of a file.

    Raises:
        SourceError: missing, empty, or not audio; or PyAV is not installed, and libsndfile does not
            read the file.
    """
    source = FileSource(path)
    try:
        source.open()
        return source
    except FormatError as error:
        if path.suffix.casefold() in RAW_SUFFIXES:  # FFmpeg takes them for video
            raise SourceError(
                f"expected an audio file, found raw samples or an unknown format at {str(path)!r}: "
                "mmgat-stream --stdin takes raw PCM"
            ) from None
        try:
            from mmgat.stream.audio.av_file import AvSource
        except ModuleNotFoundError:
            raise SourceError(
                f"{error}, or install PyAV, which reads more: pip install 'mmgat-stream[av]'"
            ) from None
    other = AvSource(path)
    other.open()
    return other
