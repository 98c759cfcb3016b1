"""Files through the stages of the live path, many windows at a time through the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from mmgat.stream.archive.file_lane import FileLane
from mmgat.stream.archive.result import FileResult
from mmgat.stream.errors import SourceError
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings

WINDOWS_AT_ONCE: Final = 16
"""Windows of one batch, of one long file or of several short ones. More take memory and no less time
(``python -m tools.benchmark.archive batches``)."""

ROWS_AT_ONCE: Final = 1_000


class Annotator:
    """Finds what sounds in files, some windows of them at a time.

    Example::

        >>> annotator = Annotator(load_recognizer(), StreamSettings())
        >>> for path, found in annotator([Path("song.ogg"), Path("take.flac")]):
        ...     print(path, found.segments if isinstance(found, FileResult) else found)

    Args:
        recognizer: the model.
        settings: hop, nodes and decision.
        keep_windows: results have the scores of every window.
        n_windows: of a batch.

    Raises:
        SettingsError: the recogniser's hop is another.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        settings: StreamSettings,
        keep_windows: bool = False,
        n_windows: int = WINDOWS_AT_ONCE,
    ) -> None:
        recognizer.check_hop(settings.hop_s)
        self._recognizer, self._settings = recognizer, settings
        self._keep_windows, self._n_windows = keep_windows, n_windows
        self._lanes: dict[Path, FileLane] = {}

    def __call__(self, paths: Iterable[Path]) -> Iterator[tuple[Path, FileResult | str]]:
        """(path, what was found, or what was wrong in words), in the order in which files end."""
        left = iter(paths)
        while True:
            while not self.full and (path := next(left, None)) is not None:
                if fault := self.begin(path):
                    yield path, fault
            if not self._lanes:
                return
            yield from self.step()

    @property
    def full(self) -> bool:
        """The windows that are due fill a batch: no other file need begin yet."""
        return sum(len(lane.due) for lane in self._lanes.values()) >= self._n_windows

    @property
    def underway(self) -> dict[Path, tuple[float, float]]:
        """file on its way -> the part of it that was read, 0 to 1, and seconds that were read."""
        return {path: (lane.share, lane.seconds) for path, lane in self._lanes.items()}

    def take_windows(self) -> dict[Path, npt.NDArray[np.float64]]:
        """Many rows of windows that long files have by now; their results have only the others."""
        return {
            path: lane.take_windows()
            for path, lane in self._lanes.items()
            if lane.n_kept >= ROWS_AT_ONCE
        }

    def begin(self, path: Path) -> str:
        """Opens a file and reads its first windows; returns what is wrong with it, or ""."""
        try:
            lane = FileLane(path, self._recognizer, self._settings, self._keep_windows)
        except Exception as error:  # whatever a file holds, the others are done
            return _in_words(path, error)
        return self._read(path, lane)

    def step(self) -> list[tuple[Path, FileResult | str]]:
        """Recognises a batch of windows of the files on their way; returns those that are done."""
        batch = [
            (lane, window, lane.is_silent(window))
            for lane in self._lanes.values()
            for window in lane.due
        ][: self._n_windows]
        if batch:
            found = self._recognizer.ahead(
                [(lane.state, window) for lane, window, _ in batch], [s for _, _, s in batch]
            )
            for (lane, _, silent), scores, bag_scores in zip(batch, *found, strict=True):
                lane.complete(silent, scores, bag_scores)
        done: list[tuple[Path, FileResult | str]] = []
        for path, lane in list(self._lanes.items()):
            if not lane.due and (fault := self._read(path, lane)):
                done.append((path, fault))
            elif not lane.due:
                done.append((path, lane.result()))
                del self._lanes[path]
        return done

    def _read(self, path: Path, lane: FileLane) -> str:
        try:
            lane.read(self._n_windows)
        except Exception as error:  # as in ``begin``
            lane.close()
            self._lanes.pop(path, None)
            return _in_words(path, error)
        self._lanes[path] = lane
        return ""


def annotate_file(path: Path, recognizer: Recognizer, settings: StreamSettings) -> FileResult:
    """What sounds in a file.

    Raises:
        SourceError: missing, not audio or empty.
    """
    ((_, found),) = Annotator(recognizer, settings)([path])
    if isinstance(found, str):
        raise SourceError(found)
    return found


def _in_words(path: Path, error: Exception) -> str:
    if isinstance(error, SourceError):
        return str(error)
    return f"{str(path)!r}: {type(error).__name__}: {error}"
