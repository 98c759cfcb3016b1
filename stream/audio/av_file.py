"""Files that libsndfile does not read, as AAC and the sound of videos, through PyAV's FFmpeg."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt

from mmgat.stream.audio.container import inspect
from mmgat.stream.audio.recorded import RecordedSource
from mmgat.stream.errors import SourceError

TOLERANCE_S: Final = 0.5
"""Lengths in headers are rounded, and count an encoder's padding."""

_DURATION: Final = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")


class AvSource(RecordedSource):
    """The first audio stream of a file through FFmpeg.

    Example::

        >>> with AvSource(Path("concert.mp4")) as source:
        ...     source.read().samples.shape
        (22050, 2)

    Args and attributes: as of ``FileSource``.
    """

    def __init__(self, path: Path, paced: bool = False) -> None:
        super().__init__(path, paced)
        self._left: npt.NDArray[np.float32] | None = None
        self._container: Any = None
        self._frames: Any = None
        self._resampler: Any = None

    def open(self) -> None:
        """Opens the file at its beginning.

        Raises:
            SourceError: the file is missing, or not audio.
        """
        self._rewind()
        self._left = None
        try:
            self._container = av.open(str(self.path), metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SourceError(
                "expected an audio file that libsndfile or FFmpeg reads, found "
                f"{str(self.path)!r} ({getattr(error, 'strerror', None) or error})"
            ) from None
        if not self._container.streams.audio:
            self.close()
            raise SourceError(f"expected sound in {str(self.path)!r}, found a file without any")
        stream = self._container.streams.audio[0]
        if stream.codec_context is None:
            self.close()
            raise SourceError(
                f"expected sound in {str(self.path)!r} that FFmpeg decodes, found another codec: "
                "convert it, or take a copy that is not protected"
            )
        rate_hz, channels = stream.codec_context.sample_rate, stream.codec_context.channels
        if not rate_hz or not channels:
            self.close()
            raise SourceError(
                f"expected sound in {str(self.path)!r}, found a stream without a rate"
            )
        self._set_info(rate_hz, channels)
        self.expected_frames = round(self._duration_s(stream) * rate_hz) or None
        self._resampler = av.AudioResampler("flt", stream.codec_context.layout, rate_hz)
        self._frames = self._container.decode(stream)

    @property
    def _is_open(self) -> bool:
        return self._frames is not None

    def _take(self, n_frames: int) -> npt.NDArray[np.float32]:
        parts = [np.zeros((0, self.channels), np.float32) if self._left is None else self._left]
        while sum(map(len, parts)) < n_frames and (part := self._decode()) is not None:
            parts.append(part)
        samples = np.concatenate(parts)  # what was decoded beyond these frames comes next
        self._left = samples[n_frames:]
        return samples[:n_frames]

    def close(self) -> None:
        """Closes the file."""
        self._frames = self._resampler = None
        if self._container is not None:
            self._container.close()
            self._container = None

    def _duration_s(self, stream: Any) -> float:
        """What the header declares for a stream, or for the file if nothing else is in it; or 0."""
        if stream.duration:
            return float(stream.duration * stream.time_base)
        if match := _DURATION.fullmatch(stream.metadata.get("DURATION", "")):  # Matroska's, WebM's
            hours, minutes, seconds = match.groups()
            return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
        is_alone = len(self._container.streams) == 1
        return (self._container.duration or 0) / 1e6 if is_alone else 0.0

    def _decode(self) -> npt.NDArray[np.float32] | None:
        """Some frames, float32 [frames, channels]; None at the end, or where the file is damaged."""
        if not self.complete:
            return None
        try:
            frame = next(self._frames, None)
            if frame is None:
                return None
            frame.pts = None  # gaps in the time stamps are no samples
            parts = [part.to_ndarray() for part in self._resampler.resample(frame)]
        except (av.FFmpegError, ValueError):
            self.complete = False
            return None
        if not parts:
            return np.zeros((0, self.channels), np.float32)
        return np.concatenate([part.reshape(-1, self.channels) for part in parts])

    def _end(self) -> None:
        if not self.read_frames:
            raise SourceError(f"expected sound in {str(self.path)!r}, found only damaged data")
        missing = (self.expected_frames or 0) - self.read_frames
        if missing > TOLERANCE_S * self.sample_rate_hz or inspect(self.path).cut:
            self.complete = False
        if not self.complete:
            found_s = self.read_frames / self.sample_rate_hz
            self._warning = (
                f"expected more sound in {str(self.path)!r}, found {found_s:.1f} s: the file is cut "
                "or damaged, and what is missing is not analysed"
            )
