"""Audio files through libsndfile, read to their end, at real-time pace or as fast as they are taken."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from mmgat.stream.audio.container import Container, inspect, is_cut
from mmgat.stream.audio.patched_file import PatchedFile
from mmgat.stream.audio.recorded import RecordedSource
from mmgat.stream.errors import SourceError

if TYPE_CHECKING:
    import soundfile

STEP_FRAMES: Final = 4096
"""What a damaged file still gives is lost by at most so many frames."""

TOLERANCE_FRAMES: Final = 2304
"""Headers of MP3 may count two frames too many."""

RAW_SUFFIXES: Final = (".raw", ".pcm", ".sw", ".s16", ".f32")
DIRECT_SUFFIXES: Final = (".wav", ".aif", ".aiff")
"""libsndfile opens these by path, which is quicker. It takes other suffixes for more than a hint, and
so refuses files that it could read, or gives a false reason."""

OWN_SIZES: Final = ("WAV", "WAVEX", "AIFF")
"""Formats whose sizes ``inspect`` compares more exactly than libsndfile does."""

UNKNOWN_FRAMES: Final = 1 << 62
"""libsndfile gives a number of frames beyond it where it knows none."""


class FormatError(SourceError):
    """A file whose format libsndfile does not read."""


class FileSource(RecordedSource):
    """An audio file through libsndfile (WAV, FLAC, Ogg, Opus, MP3, AIFF, ...).

    The file is read to its end, whatever its header says of its length. Where it ends too early,
    or is damaged, the source ends there, and says so in ``complete`` and ``health.warning``.

    Example::

        >>> source = FileSource(Path("song.ogg"))
        >>> source.probe()
        >>> source.name, source.channels
        ('song.ogg', 1)

    Args:
        path: the file.
        paced: in real time, as a stage would hear it, instead of as fast as it is taken.

    Attributes:
        complete: False once the file has ended before the end that it declares.
        expected_frames: the frames that it declares, if it does.
        read_frames: the frames read so far.
    """

    def __init__(self, path: Path, paced: bool = False) -> None:
        super().__init__(path, paced)
        self._container = Container(None)
        self._raw: PatchedFile | None = None
        self._file: soundfile.SoundFile | None = None

    def open(self) -> None:
        """Opens the file at its beginning.

        Raises:
            SourceError: the file is missing, empty, or not audio.
        """
        self._rewind()
        self._check_kind()
        try:
            self._container = inspect(self.path)
            believed = self.path.suffix.casefold() in DIRECT_SUFFIXES
            if not (believed and self._container.as_it_is):
                self._raw = PatchedFile(self.path, self._container)
        except OSError as error:
            raise SourceError(
                f"expected an audio file, found {str(self.path)!r} ({error.strerror})"
            ) from None
        try:
            self._file = self._open_sound(self._raw or self.path)
        except SourceError:
            self.close()
            raise
        if self._container.no_length:
            self._warning = f"{self.name!r} has no length in its header: it is read to its end"

    def _check_kind(self) -> None:
        path = repr(str(self.path))
        try:
            facts = self.path.stat()
        except FileNotFoundError:
            raise SourceError(f"expected an audio file, found nothing at {path}") from None
        except OSError as error:
            raise SourceError(f"expected an audio file, found {path} ({error.strerror})") from None
        if stat.S_ISDIR(facts.st_mode):
            raise SourceError(f"expected an audio file, found a folder at {path}")
        if not stat.S_ISREG(facts.st_mode):
            raise SourceError(
                f"expected an audio file, found a pipe or device at {path}: send raw PCM to --stdin"
            )
        if facts.st_size == 0:
            raise SourceError(f"expected audio in {path}, found an empty file")

    def _open_sound(self, readable: PatchedFile | Path) -> soundfile.SoundFile:
        try:
            import soundfile
        except (ImportError, OSError) as error:
            raise SourceError(
                f"expected libsndfile for audio files, found none that loads ({error}): install it "
                "with 'pip install --force-reinstall soundfile', or 'apt install libsndfile1'"
            ) from None

        class SequentialFile(soundfile.SoundFile):  # type: ignore[misc]
            """Never seeks: libsndfile cannot where it does not know the length."""

            def seekable(self) -> bool:
                return False

        try:
            file = SequentialFile(os.fsencode(readable) if isinstance(readable, Path) else readable)
        except soundfile.LibsndfileError as error:
            raise FormatError(
                f"expected an audio file that libsndfile reads (WAV, FLAC, Ogg, MP3, AIFF), found "
                f"{str(self.path)!r} ({error.error_string}): {self._way_out()}"
            ) from None
        self._set_info(file.samplerate, file.channels)
        if file.frames == 0:
            file.close()
            raise SourceError(f"expected audio in {str(self.path)!r}, found zero samples")
        if file.format not in OWN_SIZES and is_cut(file.extra_info):
            self._container = replace(self._container, cut=True)
        self.expected_frames = self._container.frames
        if self.expected_frames is None and self._container.length is None:
            self.expected_frames = file.frames if file.frames < UNKNOWN_FRAMES else None
        return file

    def _way_out(self) -> str:
        if self.path.suffix.casefold() in RAW_SUFFIXES:
            return "mmgat-stream --stdin takes raw PCM"
        more = "install PyAV, which reads more: pip install 'mmgat-stream[av]'"
        return f"convert it with ffmpeg, or {more}"

    @property
    def _is_open(self) -> bool:
        return self._file is not None

    def _take(self, n_frames: int) -> npt.NDArray[np.float32]:
        import soundfile

        assert self._file is not None
        samples = np.empty((n_frames, self.channels), np.float32)
        n_read = 0
        while n_read < n_frames and self.complete:
            step = samples[n_read : n_read + STEP_FRAMES]
            try:
                n_step = self._file.buffer_read_into(step, "float32")
            except soundfile.LibsndfileError:
                self.complete = False
                break
            n_read += n_step
            if n_step < len(step):
                break
        return samples[:n_read]

    def _end(self) -> None:
        found_s = self.read_frames / self.sample_rate_hz
        missing = (self.expected_frames or 0) - self.read_frames
        if missing > (TOLERANCE_FRAMES if self._container.frames is None else 0):
            self.complete = False
        if self._container.cut:
            self.complete = False
        if not self.read_frames:
            raise SourceError(f"expected audio in {str(self.path)!r}, found only damaged data")
        if not self.complete:
            expected = (
                f"{self.expected_frames / self.sample_rate_hz:.1f} s"
                if (self.expected_frames and missing > 0)
                else "the end of the sound"
            )
            self._warning = (
                f"expected {expected} in {str(self.path)!r}, found {found_s:.1f} s: the file is cut "
                "or damaged, and what is missing is not analysed"
            )

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._raw is not None:
            self._raw.close()
            self._raw = None
