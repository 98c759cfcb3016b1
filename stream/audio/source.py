"""Where audio comes from: the source protocol, files and standard input (devices: ``devices.py``).

A source gives blocks of float32 samples at its own rate with their position in samples. Files play
at real-time pace or as fast as they are taken; the same stages follow either way.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from mmgat.stream.audio.liveness import LivenessState
from mmgat.stream.errors import SourceError

if TYPE_CHECKING:
    import soundfile

LIVE_BLOCK_S: Final = 0.01
FAST_BLOCK_S: Final = 0.5
RATES_HZ: Final = (4_000, 768_000)
MAX_CHANNELS: Final = 128
PCM_FORMATS: Final = {"s16le": "<i2", "s24le": "<i3", "s32le": "<i4", "f32le": "<f4"}


@dataclass(frozen=True)
class Block:
    """Some consecutive samples.

    Attributes:
        position: of the first frame, in frames since the source was opened. A jump means loss.
        samples: float32 [frames, channels], full scale is 1.
        captured_at: ``time.monotonic()`` when the last frame was there.
    """

    position: int
    samples: npt.NDArray[np.float32]
    captured_at: float

    @property
    def end(self) -> int:
        return self.position + len(self.samples)

    @classmethod
    def joined(cls, blocks: Sequence[Block]) -> Block:
        """Blocks that follow each other as one; a single one as it is."""
        if len(blocks) == 1:
            return blocks[0]
        samples = np.concatenate([block.samples for block in blocks])
        return cls(blocks[0].position, samples, blocks[-1].captured_at)


class AudioSource(ABC):
    """Audio at its own rate.

    Attributes:
        name: as shown and as used in topics.
        kind: device, file or stdin.
        sample_rate_hz, channels: known once probed.
        live: it does not wait for us: what is not taken in time is dropped, oldest first.
        required: without it the others are to end, too.
        xruns: overflows that the audio system reported.
        longest_callback_ms: that the audio system had to wait for us.
        drift_ppm: how much faster the device's clock runs than the system's, in millionths; None
            while that is not known.
        liveness: only a guarded source is ever not healthy.
        outages: how often it was lost.
        warning: what is wrong now, in words, or "".
        last_poll_at: ``time.monotonic()`` when a guarded source last had time to look after its device;
            long ago while the audio system does not answer. None where nobody looks.
    """

    kind: str
    live: bool
    required: bool = False
    xruns: int = 0
    longest_callback_ms: float = 0.0
    drift_ppm: float | None = None
    liveness: LivenessState = LivenessState.HEALTHY
    outages: int = 0
    warning: str = ""
    last_poll_at: float | None = None

    def __init__(self, name: str) -> None:
        self.name = name.replace("/", "-")
        self.sample_rate_hz = 0
        self.channels = 0

    @abstractmethod
    def probe(self) -> None:
        """Finds out name, rate and channels without starting, or raises ``SourceError``."""

    @abstractmethod
    def open(self) -> None:
        """Starts it, or raises ``SourceError``."""

    @abstractmethod
    def read(self) -> Block | None:
        """Waits for the next block; None at the end or after ``stop``.

        A live source may give an empty block when nothing comes for a moment.
        """

    @abstractmethod
    def stop(self) -> None:
        """Ends a waiting ``read``; callable from any thread and more than once."""

    @abstractmethod
    def close(self) -> None:
        """Gives everything back; callable more than once."""

    def reopen(self) -> None:
        """Opens it anew after a fault, or raises ``SourceError``; positions begin at 0 again."""
        self.close()
        self.open()

    def __enter__(self) -> AudioSource:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FileSource(AudioSource):
    """An audio file through libsndfile (WAV, FLAC, Ogg, Opus, MP3, AIFF, ...).

    Args:
        path: the file.
        paced: in real time, as a stage would hear it, instead of as fast as it is taken.

    Raises (``probe``, ``open``): SourceError: missing, not audio, or empty.
    """

    kind = "file"

    def __init__(self, path: Path, paced: bool = False) -> None:
        super().__init__(path.name)
        self.path = path
        self.live = paced
        self._file: soundfile.SoundFile | None = None
        self._stopped = threading.Event()
        self._position = 0
        self._started: float | None = None

    def probe(self) -> None:
        self._open_file().close()

    def open(self) -> None:
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
        self.sample_rate_hz, self.channels = file.samplerate, file.channels
        if file.frames == 0:
            file.close()
            raise SourceError(f"expected audio in {str(self.path)!r}, found zero samples")
        return file

    def read(self) -> Block | None:
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
        self._stopped.set()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class StdinSource(AudioSource):
    """Raw PCM from a pipe, interleaved.

    The pipe itself holds a writer back that is faster than the analysis, so nothing is dropped.

    Args:
        sample_rate_hz, channels: of the stream, which does not say so itself.
        pcm_format: s16le, s24le, s32le or f32le.
        descriptor: file descriptor to read, 0 for standard input.

    Raises:
        SourceError: an unknown format, rate or number of channels.
    """

    kind = "stdin"
    live = False

    def __init__(
        self, sample_rate_hz: int, channels: int, pcm_format: str = "s16le", descriptor: int = 0
    ) -> None:
        super().__init__("stdin")
        if pcm_format not in PCM_FORMATS:
            raise SourceError(f"expected a format of {list(PCM_FORMATS)}, found {pcm_format!r}")
        if not RATES_HZ[0] <= sample_rate_hz <= RATES_HZ[1]:
            raise SourceError(f"expected a rate of 4000 to 768000 Hz, found {sample_rate_hz}")
        if not 1 <= channels <= MAX_CHANNELS:
            raise SourceError(f"expected 1 to {MAX_CHANNELS} channels, found {channels}")
        self.sample_rate_hz, self.channels = sample_rate_hz, channels
        self._format = pcm_format
        self._frame_bytes = int(PCM_FORMATS[pcm_format][-1]) * channels
        self._descriptor = descriptor
        self._rest = b""
        self._position = 0
        self._wake = os.pipe()
        self._selector = selectors.DefaultSelector()

    def probe(self) -> None:
        """Nothing to find out: the user said it all."""

    def open(self) -> None:
        self._selector.register(self._wake[0], selectors.EVENT_READ)
        with contextlib.suppress(PermissionError):  # a plain file is always ready to read
            self._selector.register(self._descriptor, selectors.EVENT_READ)

    def read(self) -> Block | None:
        n_bytes = self._frame_bytes * max(1, round(self.sample_rate_hz * FAST_BLOCK_S))
        while True:
            waits = len(self._selector.get_map()) > 1
            ready = self._selector.select(None if waits else 0)
            if any(key.fd == self._wake[0] for key, _ in ready):
                return None
            data = os.read(self._descriptor, n_bytes)
            if not data:
                return None
            data = self._rest + data
            whole = len(data) - len(data) % self._frame_bytes
            self._rest = data[whole:]
            if whole:
                break
        samples = pcm_to_float(data[:whole], self._format).reshape(-1, self.channels)
        position, self._position = self._position, self._position + len(samples)
        return Block(position, samples, time.monotonic())

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._wake[1], b".")

    def close(self) -> None:
        self._selector.close()
        for descriptor in self._wake:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def pcm_to_float(data: bytes, pcm_format: str) -> npt.NDArray[np.float32]:
    """Little-endian PCM bytes -> float32 with full scale 1."""
    if pcm_format == "f32le":
        return np.frombuffer(data, "<f4").astype(np.float32)
    if pcm_format == "s24le":
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return (padded.view("<i4").ravel() / 2.0**31).astype(np.float32)
    whole = np.frombuffer(data, PCM_FORMATS[pcm_format])
    return (whole / float(2 ** (8 * whole.itemsize - 1))).astype(np.float32)
