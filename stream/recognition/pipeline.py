"""All stages of one stream in order, without threads or sockets: blocks in, messages out.

Microphone, file and pipe go through this very object, so a file recognised at full speed gives the
same numbers as its samples block by block.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mmgat.model.labels import LABELS
from mmgat.stream.audio.meter import ChannelMeter, level_dbfs
from mmgat.stream.audio.resampler import MonoResampler
from mmgat.stream.audio.source import Block
from mmgat.stream.audio.windows import Window
from mmgat.stream.bus.protocol import Estimate, Event, Graph
from mmgat.stream.recognition.decision_thresholds import decision_thresholds
from mmgat.stream.recognition.event_detector import EventDetector
from mmgat.stream.recognition.graph_snapshot import graph_snapshot
from mmgat.stream.recognition.recognizer import Recognition, Recognizer, windows_of
from mmgat.stream.settings import StreamSettings


@dataclass(frozen=True)
class _Due:
    """A window to recognise; None stands for the end of the stream or of the part before a gap."""

    window: Window | None
    captured_at: float | None = None


class Pipeline:
    """Turns blocks of one stream into estimates and events.

    ``process`` and ``finish`` do all of it for one stream. Where several share a recogniser, blocks
    are pushed and ``recognize_batch`` takes a window of each; the numbers are the same.

    Example::

        >>> settings = StreamSettings(hop_s=1.0)
        >>> pipeline = Pipeline(load_recognizer(settings=settings), "desk", 48_000, settings)
        >>> two_seconds = np.zeros((96_000, 1), np.float32)
        >>> messages = pipeline.process(Block(0, two_seconds, 0.0)) + pipeline.finish()
        >>> [(message.t0, message.silent) for message in messages]
        [(0.0, True), (1.0, True)]

    Args:
        recognizer: may be shared; the state of this stream is the pipeline's.
        source: name in the messages.
        sample_rate_hz: of the blocks.
        settings: decision, and the hop, which is the recogniser's; nodes are the recogniser's.
        live: release windows at once, and report each estimate's latency.
        clock: ``time.monotonic``, or another in tests.

    Attributes:
        meter: measures the channels before they are mixed.
        n_windows: windows recognised so far.
        latency_ms: from the last sample of the last window until its estimate; 0 if not live.
        queue_ms, compute_ms: of it, what that window waited, and what its recognition took.
        state: what the recogniser remembers of this stream.
        wants_graph: a ``Graph`` is made of each window, for ``take_graphs``.

    Raises:
        SettingsError: the recogniser's hop is another, or the thresholds cannot be used.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        source: str,
        sample_rate_hz: int,
        settings: StreamSettings,
        live: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        recognizer.check_hop(settings.hop_s)
        self.meter = ChannelMeter(sample_rate_hz)
        self.n_windows = 0
        self.latency_ms = self.queue_ms = self.compute_ms = 0.0
        self.wants_graph = False
        self.state = recognizer.new_state()
        self._recognize = recognizer
        self._source, self._rate, self._settings = source, sample_rate_hz, settings
        self._live, self._clock = live, clock
        embedder = recognizer.model.embedder
        self._model_rate = embedder.sample_rate_hz
        self._resample = MonoResampler(sample_rate_hz, self._model_rate)
        self._windows = windows_of(embedder, settings)
        thresholds = decision_thresholds(recognizer.model.card, settings.decision)
        self._decide = EventDetector(thresholds, settings.hop_s, source, settings.decision)
        self._position = 0
        self._due: deque[_Due] = deque()
        self._messages: list[Estimate | Event] = []
        self._graphs: list[Graph] = []

    def set_thresholds(self, thresholds: dict[str, float]) -> None:
        """Decides by other thresholds from the next window on; callable from any thread."""
        self._decide.set_thresholds(thresholds)

    def process(self, block: Block) -> list[Estimate | Event]:
        """Returns the messages that a block completes."""
        self.push(block)
        return self._recognize_due()

    def finish(self) -> list[Estimate | Event]:
        """Returns the messages of the padded tail, and ends all that is on."""
        self.end()
        return self._recognize_due()

    def push(self, block: Block) -> None:
        """Takes a block; the windows that it completes become due.

        Where its position jumps, the part before the gap is finished first and the stream goes on
        behind it: nodes keep their times, and an instrument that was on ends at the gap. Behind an
        interrupted block everything ends at once, without waiting for the next one.
        """
        if block.position != self._position:
            self.end()
            self._windows.restart(round(block.position * self._model_rate / self._rate))
        self._position = block.end
        windows = self._windows.push(self._resample(self.meter.push(block.samples)))
        if self._live and self._windows.n_lacking <= self._resample.n_ready:
            windows += self._windows.push(self._resample.ahead())
        for window in windows:
            behind = block.end / self._rate - window.heard_until_s
            self._due.append(_Due(window, block.captured_at - behind))
        if block.interrupted:
            self.end()

    def end(self) -> None:
        """Makes the last samples a padded window that is due, and ends behind it what is on."""
        windows = self._windows.push(self._resample.flush()) + self._windows.flush()
        self._due.extend(_Due(window) for window in windows)
        self._due.append(_Due(None))

    @property
    def n_until_window(self) -> int:
        """Frames that have to come at least before another window is due."""
        n_lacking = self._windows.n_lacking - self._resample.n_ready
        return n_lacking * self._rate // self._model_rate

    def window(self) -> Window | None:
        """Returns the window to recognise next, if one is due."""
        while self._due:
            if (window := self._due[0].window) is not None:
                return window
            self._due.popleft()
            self._messages += self._decide.finish()
        return None

    def skip_overdue(self, max_due: int) -> int:
        """Forgets the oldest windows beyond ``max_due`` of them; returns how many.

        Analysis that falls behind so recognises fewer windows of an unbroken stream. A gap in the
        samples instead would cost a padded window, the end of all that is on, and a new start.
        """
        n_skipped = sum(due.window is not None for due in self._due) - max_due
        if n_skipped <= 0:
            return 0
        kept: deque[_Due] = deque()
        left = n_skipped
        for due in self._due:
            if due.window is not None and left:
                left -= 1
            else:
                kept.append(due)
        self._due = kept
        return n_skipped

    def lose_window(self) -> None:
        """Goes on without the window that ``window`` returns, which could not be recognised."""
        self._due.popleft()

    def complete(self, recognition: Recognition, began_at: float | None = None) -> None:
        """Takes the recognition of the window that is due, and makes messages of it.

        Args:
            recognition: of that window.
            began_at: the clock when it began, which splits the latency; None for this moment.

        Raises:
            ValueError: no window is due.
        """
        due = self._due.popleft()
        window = due.window
        if window is None:
            raise ValueError("expected a recognition of the window that is due, found none due")
        level = level_dbfs(window.second)
        silent = level < self._settings.decision.silence_dbfs
        if silent:
            self.state.graph_of(window).drop_newest()
        scores = np.zeros_like(recognition.scores) if silent else recognition.scores
        events = self._decide.update(window, scores, silent)
        if self._live and due.captured_at is not None:
            now = self._clock()
            self.latency_ms = 1000 * (now - due.captured_at)
            self.compute_ms = 1000 * (now - (now if began_at is None else began_at))
            self.queue_ms = self.latency_ms - self.compute_ms
        estimate = Estimate(
            source=self._source,
            index=window.index,
            t0=window.start_s,
            t1=window.end_s,
            scores=_by_label(scores),
            bag_scores=_by_label(recognition.bag_scores),
            active=self._decide.active,
            near_misses=self._decide.near_misses,
            evidence=dict(zip(LABELS, _rounded(recognition.evidence.T), strict=True)),
            evidence_t0=[max(0, start) / self._model_rate for start in recognition.node_starts],
            level_dbfs=max(level, self.meter.level_dbfs) if self.channels_cancel else level,
            silent=silent,
            partial=window.partial,
            warming_up=self._decide.warming_up,
            latency_ms=self.latency_ms,
        )
        self._messages += [estimate, *events]
        if self.wants_graph:
            self._graphs.append(
                graph_snapshot(
                    self.state.graph_of(window),
                    self._recognize.model.card.mmgat,
                    self._model_rate,
                    self._source,
                    window.index,
                )
            )
        self.n_windows += 1

    @property
    def channels_cancel(self) -> bool:
        """Whether the channels of the last second are audible, and their mix is not."""
        return self.meter.cancels(self._settings.decision.silence_dbfs)

    def drain(self) -> list[Estimate | Event]:
        """Returns the messages since the last call, in order."""
        messages, self._messages = self._messages, []
        return messages

    def take_graphs(self) -> list[Graph]:
        """Returns the graphs since the last call, in order."""
        graphs, self._graphs = self._graphs, []
        return graphs

    def _recognize_due(self) -> list[Estimate | Event]:
        while self.window() is not None:
            recognize_batch(self._recognize, [self])
        return self.drain()


def recognize_batch(recognizer: Recognizer, pipelines: Iterable[Pipeline]) -> int:
    """Recognises one window of every pipeline that has one due, in one call; returns how many."""
    ready = [(p, window) for p in pipelines if (window := p.window()) is not None]
    if ready:
        began_at = ready[0][0]._clock()
        recognitions = recognizer([(pipeline.state, window) for pipeline, window in ready])
        for (pipeline, _), recognition in zip(ready, recognitions, strict=True):
            pipeline.complete(recognition, began_at)
    return len(ready)


def _by_label(scores: npt.NDArray[np.float32]) -> dict[str, float]:
    return dict(zip(LABELS, _rounded(scores), strict=True))


def _rounded(numbers: npt.NDArray[np.float32]) -> list[Any]:
    """To six decimals, as (nested) lists."""
    rounded: list[Any] = numbers.astype(np.float64).round(6).tolist()
    return rounded
