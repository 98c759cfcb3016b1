"""Raw PCM from standard input or another pipe."""

from __future__ import annotations

import contextlib
import os
import selectors
import time
from typing import Final

import numpy as np
import numpy.typing as npt

from mmgat.stream.audio.source import AudioSource, Block
from mmgat.stream.errors import SourceError

BLOCK_S: Final = 0.5
EMPTY_BLOCK_S: Final = 0.25
"""``read`` returns an empty block after this long (seconds) without data."""

RATES_HZ: Final = (4_000, 768_000)
MAX_CHANNELS: Final = 128
PCM_FORMATS: Final = {"s16le": "<i2", "s24le": "<i3", "s32le": "<i4", "f32le": "<f4"}


class StdinSource(AudioSource):
    """Raw PCM from a pipe, interleaved.

    The pipe itself holds a writer back that is faster than the analysis, so nothing is dropped.

    Example::

        source = StdinSource(44_100, 2, "s16le")  # ffmpeg -i song.mp3 -f s16le -ar 44100 -ac 2 - | ...

    Args:
        sample_rate_hz, channels: of the stream, which does not say so itself.
        pcm_format: s16le, s24le, s32le or f32le.
        descriptor: file descriptor to read, 0 for standard input.

    Raises:
        SourceError: an unknown format, rate or number of channels.
    """

    live = False

    def __init__(
        self, sample_rate_hz: int, channels: int, pcm_format: str = "s16le", descriptor: int = 0
    ) -> None:
        super().__init__("stdin", "stdin", sample_rate_hz, channels)
        if pcm_format not in PCM_FORMATS:
            raise SourceError(f"expected a format of {list(PCM_FORMATS)}, found {pcm_format!r}")
        if not RATES_HZ[0] <= sample_rate_hz <= RATES_HZ[1]:
            raise SourceError(f"expected a rate of 4000 to 768000 Hz, found {sample_rate_hz}")
        if not 1 <= channels <= MAX_CHANNELS:
            raise SourceError(f"expected 1 to {MAX_CHANNELS} channels, found {channels}")
        self._format = pcm_format
        self._frame_bytes = int(PCM_FORMATS[pcm_format][-1]) * channels
        self._descriptor = descriptor
        self._rest = b""
        self._position = 0
        self._wake = os.pipe()
        self._selector = selectors.DefaultSelector()

    def probe(self) -> None:
        """Does nothing: the caller has said what raw PCM cannot say."""

    def open(self) -> None:
        """Prepares to wait for the pipe and for ``stop`` at once."""
        self._selector.register(self._wake[0], selectors.EVENT_READ)
        with contextlib.suppress(PermissionError):  # a plain file is always ready to read
            self._selector.register(self._descriptor, selectors.EVENT_READ)

    def read(self) -> Block | None:
        """Waits for whole frames, at most half a second of them; None at the end of the pipe.

        When nothing comes for a quarter second, it returns an empty block.
        """
        n_bytes = self._frame_bytes * max(1, round(self.sample_rate_hz * BLOCK_S))
        while True:
            waits = len(self._selector.get_map()) > 1
            ready = self._selector.select(EMPTY_BLOCK_S if waits else 0)
            if waits and not ready:
                nothing = np.zeros((0, self.channels), np.float32)
                return Block(self._position, nothing, time.monotonic())
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

    def reopen(self) -> None:
        """Goes on waiting: a pipe has no other end to open, and loses nothing."""

    def stop(self) -> None:
        """Ends a waiting ``read``."""
        with contextlib.suppress(OSError):
            os.write(self._wake[1], b".")

    def close(self) -> None:
        """Closes what ``open`` prepared; the pipe itself stays open."""
        self._selector.close()
        for descriptor in self._wake:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def pcm_to_float(data: bytes, pcm_format: str) -> npt.NDArray[np.float32]:
    """Converts little-endian PCM bytes to float32 [samples] with full scale 1."""
    if pcm_format == "f32le":
        return np.frombuffer(data, "<f4").astype(np.float32)
    if pcm_format == "s24le":
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return (padded.view("<i4").ravel() / 2.0**31).astype(np.float32)
    integers = np.frombuffer(data, PCM_FORMATS[pcm_format])
    return (integers / float(2 ** (8 * integers.itemsize - 1))).astype(np.float32)
