"""Turns scores into instruments that begin and end, with two thresholds (ours)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import reduce
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from mmgat.model.labels import LABELS
from mmgat.stream.audio.windows import Window
from mmgat.stream.bus.protocol import Event
from mmgat.stream.settings import DecisionSettings

MAX_SCORE: Final = 0.999
"""Scores are clipped to this, and to one minus this, before their log-odds are taken."""


def log_odds(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Returns the log-odds of scores in [0, 1], bounded; any shape."""
    bounded = np.clip(np.asarray(scores, np.float64), 1 - MAX_SCORE, MAX_SCORE)
    return np.asarray(np.log(bounded / (1 - bounded)))


@dataclass
class _Track:
    """One label's state; times are seconds in the stream."""

    hit_at: int = -1  # number of the window of the last hit, counted from 1
    on_id: str = ""
    onset_s: float = 0.0
    last_hit_s: float = 0.0


class EventDetector:
    """Turns each window's scores into the set of sounding labels and their events.

    A label turns on when the mean log-odds of the last ``n_windows`` windows reach its threshold. It
    turns off after ``off_s``, and as many windows, below the lower threshold, or with the first
    silent window. A hit is a window at or above the lower threshold. A window stands for the hop
    around its centre, the first and the last one of a stream also for its outer half: so an
    instrument begins half a hop before the centre of its first hit, among the windows that turned
    it on, and ends half a hop after the centre of its last hit.

    Args:
        thresholds: label -> score; a label without one is never named.
        hop_s: seconds between windows.
        source: name in the events.
        settings: see ``DecisionSettings``.
    """

    def __init__(
        self,
        thresholds: dict[str, float],
        hop_s: float,
        source: str,
        settings: DecisionSettings | None = None,
    ) -> None:
        self.settings = settings or DecisionSettings()
        self.set_thresholds(thresholds)
        self._last: deque[npt.NDArray[np.float64]] = deque(maxlen=self.settings.n_windows)
        self._begins: deque[float] = deque(maxlen=self.settings.n_windows)
        self._hop_s, self._source = hop_s, source
        self._windows_off = max(self.settings.n_windows, round(self.settings.off_s / hop_s))
        self._tracks = [_Track() for _ in LABELS]
        self._on: set[int] = set()  # places of the labels that are on
        self._hits: list[int] = []  # of those with a hit in the last window
        self._n_windows = 0
        self._n_events = 0
        self._end_s = 0.0

    def set_thresholds(self, thresholds: dict[str, float]) -> None:
        """Decides by other thresholds from the next window on; callable from any thread.

        A label that is on and has none any more ends as if it had fallen silent.
        """
        on = np.array([thresholds.get(label, np.inf) for label in LABELS])
        reached = np.where(np.isfinite(on), log_odds(on), np.inf)
        self._levels = reached, on * self.settings.off_ratio

    @property
    def warming_up(self) -> bool:
        """Whether too few windows have come since the start or the last gap for events."""
        return self._n_windows < self.settings.warm_up_windows

    @property
    def active(self) -> list[str]:
        """The labels that are on, in label order."""
        return [LABELS[index] for index in sorted(self._on)]

    @property
    def near_misses(self) -> list[str]:
        """Labels that are not on and had a hit in the last window, in label order."""
        return [LABELS[index] for index in self._hits if index not in self._on]

    def update(
        self, window: Window, scores: npt.NDArray[np.float32], silent: bool = False
    ) -> list[Event]:
        """Returns the events of one more window.

        Args:
            window: follows the one before.
            scores: float32 [20], 0 to 1.
            silent: it is below the silence gate, and ends what is on.
        """
        self._n_windows += 1
        if self.warming_up:
            return []
        n_windows = self.settings.n_windows
        first, starts = self._n_windows == 1, window.start_s
        centre = (window.start_s + window.end_s) / 2
        self._begins.append(starts if first else max(starts, centre - self._hop_s / 2))
        self._end_s = window.end_s
        self._last.append(log_odds(scores))
        on_level, off_level = self._levels
        reached: list[int] = []
        if len(self._last) == n_windows and not silent:
            mean = reduce(np.add, self._last) / n_windows
            reached = np.flatnonzero(mean >= on_level).tolist()
        self._hits = [] if silent else np.flatnonzero(scores >= off_level).tolist()
        end_of_hit = min(centre + self._hop_s / 2, self._end_s)
        for index in self._hits:
            track = self._tracks[index]
            if not track.on_id and track.hit_at < self._n_windows - 1:
                track.onset_s = self._begins[-1]
            track.hit_at, track.last_hit_s = self._n_windows, end_of_hit
        events = []
        for index in sorted(self._on.union(reached)):
            track, score = self._tracks[index], float(scores[index])
            if not track.on_id:
                self._n_events += 1
                self._on.add(index)
                track.on_id = f"{LABELS[index]}-{self._n_events}"
                track.onset_s = max(track.onset_s, self._begins[0])
                events.append(self._event("on", index, track.onset_s, score))
            elif self._n_windows - track.hit_at >= (1 if silent else self._windows_off):
                events.append(self._end(index, score))
        return events

    def finish(self) -> list[Event]:
        """Ends what is on, at the end of the stream or at a gap; then starts anew."""
        for index in self._hits:
            self._tracks[index].last_hit_s = self._end_s
        events = [self._end(index, 0.0) for index in sorted(self._on)]
        self._tracks = [_Track() for _ in LABELS]
        self._hits = []
        self._last.clear()
        self._begins.clear()
        self._n_windows = 0
        return events

    def _end(self, index: int, score: float) -> Event:
        track = self._tracks[index]
        event = self._event("off", index, max(track.last_hit_s, track.onset_s), score)
        self._tracks[index] = _Track(hit_at=track.hit_at)
        self._on.discard(index)
        return event

    def _event(self, kind: Literal["on", "off"], index: int, t: float, score: float) -> Event:
        track = self._tracks[index]
        return Event(
            source=self._source,
            event=kind,
            id=track.on_id,
            label=LABELS[index],
            time_s=t,
            onset_s=track.onset_s,
            score=score,
        )
