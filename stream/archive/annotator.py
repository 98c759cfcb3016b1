"""Files through the very stages of the live path, several at a time through the network."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from mmgat.model.labels import LABELS
from mmgat.stream.archive.result import FileResult, Segment
from mmgat.stream.archive.sound import open_sound
from mmgat.stream.bus.protocol import Estimate
from mmgat.stream.errors import SourceError
from mmgat.stream.recognition.pipeline import Pipeline, recognize_batch
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings

N_LANES: Final = 8
"""Files at a time: with batches of so many windows a second of sound takes a fifth to a quarter less
(``python -m tools.benchmark.archive lanes``)."""


class FileLane:
    """One file on its way through the stages.

    Args:
        path: the file.
        recognizer: may be shared with other lanes.
        settings: hop, nodes and decision.
        keep_windows: the result has the scores of every window.

    Attributes:
        pipeline: its stages.

    Raises:
        SourceError: the file is missing, not audio, or empty.
    """

    def __init__(
        self,
        path: Path,
        recognizer: Recognizer,
        settings: StreamSettings,
        keep_windows: bool = False,
    ) -> None:
        self._path = path
        self._source = open_sound(path)
        rate_hz = self._source.sample_rate_hz
        self.pipeline = Pipeline(recognizer, self._source.name, rate_hz, settings)
        self._scores = FileScores(settings)
        self._windows = array("d") if keep_windows else None
        self._segments: list[Segment] = []
        self._open_scores: dict[str, float] = {}
        self._n_samples = 0
        self._ended = False

    @property
    def seconds(self) -> float:
        """Seconds read so far."""
        return self._n_samples / self._source.sample_rate_hz

    @property
    def share(self) -> float:
        """The part of the file that was read, 0 to 1; 0 where its length is not known."""
        expected = self._source.expected_frames
        return min(1.0, self._n_samples / expected) if expected else 0.0

    def advance(self) -> bool:
        """Takes what was recognised, and reads on until a window is due; False at the end.

        Raises:
            SourceError: nothing at all can be read.
        """
        while True:
            self._collect()
            if self.pipeline.window() is not None:
                return True
            if self._ended:
                self._collect()
                return False
            if (block := self._source.read()) is None:
                self.pipeline.end()
                self._ended = True
            else:
                self._n_samples = block.end
                self.pipeline.push(block)

    def result(self) -> FileResult:
        """What was found, once ``advance`` has come to the end."""
        meter, rate_hz = self.pipeline.meter, self._source.sample_rate_hz
        windows = None
        if self._windows is not None:
            windows = np.array(self._windows).reshape(-1, 2 + len(LABELS))
        return FileResult(
            file=str(self._path),
            seconds=round(self.seconds, 3),
            scores=self._scores.mean(),
            segments=sorted(self._segments, key=lambda s: (s.t0, s.label)),
            windows=windows,
            partial=self._n_samples < rate_hz,
            complete=self._source.complete,
            warning=self._source.health.warning,
            nonfinite=meter.nonfinite,
            clipped=meter.clipped,
        )

    def close(self) -> None:
        """Closes the file."""
        self._source.close()

    def _collect(self) -> None:
        for message in self.pipeline.drain():
            if isinstance(message, Estimate):
                self._scores.add(message)
                if self._windows is not None:
                    self._windows.extend((message.t0, message.t1))
                    self._windows.extend(message.scores[label] for label in LABELS)
                for label in self._open_scores:
                    self._open_scores[label] = max(self._open_scores[label], message.scores[label])
            elif message.event == "on":
                self._open_scores[message.label] = message.score
            else:
                score = round(self._open_scores.pop(message.label), 4)
                onset_s, end_s = round(message.onset_s, 3), round(message.time_s, 3)
                self._segments.append(Segment(message.label, onset_s, end_s, score))


class Annotator:
    """Finds what sounds in files, up to ``N_LANES`` of them at a time.

    Example::

        >>> annotator = Annotator(load_recognizer(), StreamSettings())
        >>> for path, found in annotator([Path("song.ogg"), Path("take.flac")]):
        ...     print(path, found.segments if isinstance(found, FileResult) else found)

    Args:
        recognizer: the model.
        settings: hop, nodes and decision.
        keep_windows: results have the scores of every window.
    """

    def __init__(
        self, recognizer: Recognizer, settings: StreamSettings, keep_windows: bool = False
    ) -> None:
        self._recognizer, self._settings = recognizer, settings
        self._keep_windows = keep_windows
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
        """No other file can begin yet."""
        return len(self._lanes) >= N_LANES

    @property
    def underway(self) -> dict[Path, tuple[float, float]]:
        """file on its way -> the part of it that was read, 0 to 1, and seconds that were read."""
        return {path: (lane.share, lane.seconds) for path, lane in self._lanes.items()}

    def begin(self, path: Path) -> str:
        """Opens a file; returns what is wrong with it, or ""."""
        try:
            self._lanes[path] = FileLane(path, self._recognizer, self._settings, self._keep_windows)
        except Exception as error:  # whatever a file holds, the others are done
            return _in_words(path, error)
        return ""

    def step(self) -> list[tuple[Path, FileResult | str]]:
        """Recognises a window of every file on its way; returns those that are done."""
        done: list[tuple[Path, FileResult | str]] = []
        for path, lane in list(self._lanes.items()):
            try:
                if lane.advance():
                    continue
                done.append((path, lane.result()))
            except Exception as error:  # as above
                done.append((path, _in_words(path, error)))
            lane.close()
            del self._lanes[path]
        recognize_batch(self._recognizer, [lane.pipeline for lane in self._lanes.values()])
        return done


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


class FileScores:
    """label -> 0..1 for a whole file: the mean of MMGAT's bag scores over its stretches.

    A stretch is as long as the graph; where one ends, the bag scores of all phases speak for its
    seconds together. A file shorter than the graph is one bag. Only the last bags are kept, so a
    file may be hours long.

    Args:
        settings: hop and nodes.
    """

    def __init__(self, settings: StreamSettings) -> None:
        n_phases = round(1 / settings.hop_s)
        self._size = settings.nodes * n_phases
        self._bags: deque[dict[str, float]] = deque(maxlen=n_phases)
        self._n_in_stretch = self._n_estimates = 0
        self._totals = dict.fromkeys(LABELS, 0.0)

    def add(self, estimate: Estimate) -> None:
        """Takes the next window's estimate."""
        self._bags.append(estimate.bag_scores)
        self._n_in_stretch += 1
        if self._n_in_stretch == self._size:
            self._end_stretch()

    def mean(self) -> dict[str, float]:
        """label -> score; zeros if there was no window. Nothing may be added afterwards."""
        self._end_stretch()
        n = max(self._n_estimates, 1)
        return {label: round(total / n, 6) for label, total in self._totals.items()}

    def _end_stretch(self) -> None:
        for label in LABELS if self._bags else ():
            bag = sum(scores[label] for scores in self._bags) / len(self._bags)
            self._totals[label] += self._n_in_stretch * bag
        self._n_estimates += self._n_in_stretch
        self._n_in_stretch = 0
        self._bags.clear()
