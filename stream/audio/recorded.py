"""What sources of sound files share: pace, position, and whether a file is as long as it says."""

from __future__ import annotations

import time
from abc import abstractmethod
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mmgat.stream.audio.pace import Pace
from mmgat.stream.audio.source import AudioSource, Block, SourceHealth


class RecordedSource(AudioSource):
    """A file that is read from beginning to end; for its attributes see ``FileSource``."""

    def __init__(self, path: Path, paced: bool = False) -> None:
        super().__init__(path.name, "file")
        self.path = path
        self.live = paced
        self.complete = True
        self.expected_frames: int | None = None
        self.read_frames = 0
        self._warning = ""
        self._pace = Pace(paced)

    @property
    def health(self) -> SourceHealth:
        """Whether the file has a length and is complete, in words."""
        return SourceHealth(warning=self._warning)

    def probe(self) -> None:
        """Reads the file's header.

        Raises:
            SourceError: the file is missing, empty, or not audio.
        """
        self.open()
        self.close()

    def read(self) -> Block | None:
        """The next 5 ms at real-time pace, else the next half second; None at the end.

        Raises:
            SourceError: nothing at all can be read.
        """
        if self._pace.stopped or not self._is_open:
            return None
        samples = self._take(max(1, round(self.sample_rate_hz * self._pace.block_s)))
        if not len(samples):
            self._end()
            return None
        position, self.read_frames = self.read_frames, self.read_frames + len(samples)
        if not self._pace.wait(self.read_frames / self.sample_rate_hz):
            return None
        return Block(position, samples, time.monotonic())

    def stop(self) -> None:
        """Ends a waiting ``read``, and makes it the last."""
        self._pace.stop()

    def _rewind(self) -> None:
        """The next block is the first."""
        self.complete, self._warning, self.read_frames = True, "", 0
        self._pace.begin()

    @property
    @abstractmethod
    def _is_open(self) -> bool: ...

    @abstractmethod
    def _take(self, n_frames: int) -> npt.NDArray[np.float32]:
        """The next frames, float32 [n, channels]; fewer only at the end, or where it is damaged."""

    @abstractmethod
    def _end(self) -> None:
        """Compares what was read with what the file declares.

        Raises:
            SourceError: nothing was read.
        """
