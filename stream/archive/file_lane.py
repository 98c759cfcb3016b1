"""One file on its way: read ahead into windows, and its windows' scores made into a result."""

from __future__ import annotations

from array import array
from collections import deque
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mmgat.model.labels import LABELS
from mmgat.stream.archive.result import FileResult, Segment
from mmgat.stream.audio.meter import ChannelMeter, level_dbfs
from mmgat.stream.audio.resampler import MonoResampler
from mmgat.stream.audio.sound_file import open_sound
from mmgat.stream.audio.windows import Window
from mmgat.stream.bus.protocol import Event
from mmgat.stream.recognition.decision_thresholds import decision_thresholds
from mmgat.stream.recognition.event_detector import EventDetector
from mmgat.stream.recognition.recognizer import Recognizer, windows_of
from mmgat.stream.settings import StreamSettings

Floats = npt.NDArray[np.float32]

N_DIGITS = 6
"""Scores are rounded to so many, as on the bus."""


class FileLane:
    """One file on its way through the stages.

    They are those of a live stream (``mmgat.stream.recognition.pipeline``), without its messages: no
    evidence, no levels, nothing for the bus.

    Args:
        path: the file.
        recognizer: may be shared with other lanes.
        settings: hop, nodes and decision.
        keep_windows: the result has the scores of every window.

    Attributes:
        due: windows that were read and are to be recognised, in order.
        state: what the recogniser remembers of the file.
        ended: it was read to its end.

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
        self._path, self._settings = path, settings
        self._source = open_sound(path)
        self.due: deque[Window] = deque()
        self.state = recognizer.new_state()
        self.ended = False
        rate_hz, embedder = self._source.sample_rate_hz, recognizer.model.embedder
        self._meter = ChannelMeter(rate_hz)
        self._resample = MonoResampler(rate_hz, embedder.sample_rate_hz)
        self._assemble = windows_of(embedder, settings)
        thresholds = decision_thresholds(recognizer.model.card, settings.decision)
        self._decide = EventDetector(thresholds, settings.hop_s, path.name, settings.decision)
        self._scores = FileScores(settings)
        self._windows = array("d") if keep_windows else None
        self._segments: list[Segment] = []
        self._open_scores: dict[str, float] = {}
        self._n_samples = 0

    @property
    def seconds(self) -> float:
        """Seconds read so far."""
        return self._n_samples / self._source.sample_rate_hz

    @property
    def share(self) -> float:
        """The part of the file that was read, 0 to 1; 0 where its length is not known."""
        expected = self._source.expected_frames
        return min(1.0, self._n_samples / expected) if expected else 0.0

    def read(self, n_windows: int) -> None:
        """Reads on until so many windows are due, or the file ends.

        Raises:
            SourceError: nothing at all can be read.
        """
        while len(self.due) < n_windows and not self.ended:
            if (block := self._source.read()) is None:
                self.due += self._assemble.push(self._resample.flush()) + self._assemble.flush()
                self.ended = True
                self.close()
            else:
                self._n_samples = block.end
                samples = self._meter.limit(block.samples)
                self.due += self._assemble.push(self._resample(samples))

    def is_silent(self, window: Window) -> bool:
        """Whether a window is below the silence gate."""
        return level_dbfs(window.second) < self._settings.decision.silence_dbfs

    def complete(self, silent: bool, scores: Floats, bag_scores: Floats) -> None:
        """Takes what was recognised of the window that is due.

        Args:
            silent: see ``is_silent``.
            scores, bag_scores: float32 [20].
        """
        window = self.due.popleft()
        if silent:
            scores = np.zeros_like(scores)
        events = self._decide.update(window, scores, silent)
        rounded = scores.astype(np.float64).round(N_DIGITS)
        self._scores.add(bag_scores)
        if self._windows is not None:
            self._windows.extend((window.start_s, window.end_s, *rounded.tolist()))
        for label, highest in self._open_scores.items():
            self._open_scores[label] = max(highest, float(rounded[LABELS.index(label)]))
        for event in events:
            self._take(event)

    @property
    def n_kept(self) -> int:
        """Windows whose scores are kept."""
        return len(self._windows or ()) // (2 + len(LABELS))

    def take_windows(self) -> npt.NDArray[np.float64]:
        """The rows of ``FileResult.windows`` so far; the result then has those that follow."""
        rows = self._rows()
        if self._windows is not None:
            self._windows = array("d")
        return rows

    def _rows(self) -> npt.NDArray[np.float64]:
        found = np.frombuffer(self._windows) if self._windows else np.zeros(0)
        return found.reshape(-1, 2 + len(LABELS))

    def result(self) -> FileResult:
        """What was found, once the file has ended and no window is due."""
        for event in self._decide.finish():
            self._take(event)
        rate_hz = self._source.sample_rate_hz
        return FileResult(
            file=str(self._path),
            seconds=round(self.seconds, 3),
            scores=self._scores.mean(),
            segments=sorted(self._segments, key=lambda s: (s.t0, s.label)),
            windows=None if self._windows is None else self._rows(),
            partial=self._n_samples < rate_hz,
            complete=self._source.complete,
            warning=self._source.health.warning,
            nonfinite=self._meter.nonfinite,
            clipped=self._meter.clipped,
        )

    def close(self) -> None:
        """Closes the file."""
        self._source.close()

    def _take(self, event: Event) -> None:
        if event.event == "on":
            self._open_scores[event.label] = event.score
            return
        score = round(self._open_scores.pop(event.label), 4)
        onset_s, end_s = round(event.onset_s, 3), round(event.time_s, 3)
        self._segments.append(Segment(event.label, onset_s, end_s, score))


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
        self._bags: deque[Floats] = deque(maxlen=n_phases)
        self._n_in_stretch = self._n_windows = 0
        self._total = np.zeros(len(LABELS))

    def add(self, bag_scores: Floats) -> None:
        """Takes the next window's bag scores, float32 [20]."""
        self._bags.append(bag_scores)
        self._n_in_stretch += 1
        if self._n_in_stretch == self._size:
            self._end_stretch()

    def mean(self) -> dict[str, float]:
        """label -> score; zeros if there was no window. Nothing may be added afterwards."""
        self._end_stretch()
        mean = self._total / max(self._n_windows, 1)
        return dict(zip(LABELS, mean.round(N_DIGITS).tolist(), strict=True))

    def _end_stretch(self) -> None:
        if self._bags:
            self._total += self._n_in_stretch * np.mean(self._bags, axis=0, dtype=np.float64)
        self._n_windows += self._n_in_stretch
        self._n_in_stretch = 0
        self._bags.clear()
