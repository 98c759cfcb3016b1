"""Audio files through libsndfile, at real-time pace or as fast as they are taken."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mmgat.stream.audio.source import AudioSource, Block
from mmgat.stream.errors import SourceError

if TYPE_CHECKING:
    import soundfile

LIVE_BLOCK_S: Final = 0.01
FAST_BLOCK_S: Final = 0.5


class FileSource(AudioSource):
    """An audio file through libsndfile (WAV, FLAC, Ogg, Opus, MP3, AIFF, ...).

    Args:
        path: the file.
        paced: in real time, as a stage would hear it, instead of as fast as it is taken.
    """

    def __init__(self, path: Path, paced: bool = False) -> None:
        super().__init__(path.name, "file")
        self.path = path
        self.live = paced
        self._file: soundfile.SoundFile | None = None
        self._stopped = threading.Event()
        self._position = 0
        self._started: float | None = None

    def probe(self) -> None:
        """Reads the file's header.

        Raises:
            SourceError: the file is missing, empty, or not audio.
        """
        self._open_file().close()

    def open(self) -> None:
        """Opens the file at its beginning.

        Raises:
            SourceError: the file is missing, empty, or not audio.
        """
        self._file = self._open_file()
        self._position, self._started = 0, None

    def _open_file(self) -> soundfile.SoundFile:
        import soundfile

        if not self.path.is_file():
            what = "a folder" if self.path.is_dir() else "nothing"
            raise SourceError(f"expected an audio file, found {what} at {str(self.path)!r}")
        if self.path.stat().st_size == 0:
            raise SourceError(f"expected audio in {str(self.path)!r}, found an empty file")
        try:
            file = soundfile.SoundFile(self.path)
        except soundfile.LibsndfileError as error:
            raise SourceError(
                f"expected an audio file that libsndfile reads (WAV, FLAC, Ogg, MP3, AIFF), found "
                f"{str(self.path)!r} ({error.error_string}): convert it with ffmpeg"
            ) from None
        self._set_info(file.samplerate, file.channels)
        if file.frames == 0:
            file.close()
            raise SourceError(f"expected audio in {str(self.path)!r}, found zero samples")
        return file

    def read(self) -> Block | None:
        """The next 10 ms at real-time pace, else the next half second; None at the end.

        Raises:
            SourceError: the file is damaged from here on.
        """
        import soundfile

        if self._stopped.is_set() or self._file is None:
            return None
        n_frames = round(self.sample_rate_hz * (LIVE_BLOCK_S if self.live else FAST_BLOCK_S))
        try:
            samples = self._file.read(max(n_frames, 1), dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise SourceError(
                f"{str(self.path)!r} is damaged after "
                f"{self._position / self.sample_rate_hz:.1f} s ({error.error_string})"
            ) from None
        if not len(samples):
            return None
        position, self._position = self._position, self._position + len(samples)
        if self._started is None:
            self._started = time.monotonic()
        if self.live:
            due = self._started + self._position / self.sample_rate_hz
            if self._stopped.wait(max(0.0, due - time.monotonic())):
                return None
        return Block(position, samples, time.monotonic())

    def stop(self) -> None:
        """Ends a waiting ``read``."""
        self._stopped.set()

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
