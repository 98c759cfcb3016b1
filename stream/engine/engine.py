"""The engine: one capturing thread for each source, one analysing thread, bounded queues between.

    source --capture--> BlockQueue --.
    source --capture--> BlockQueue ---analysis--> Pipelines, Recognizer --> sinks (publisher, ...)

Sinks and the publisher have threads of their own. Capture never waits for analysis of a live
source; windows that are not analysed in time are skipped, oldest first, and counted.

Analysis goes in rounds: it takes the next window of each stream, and all of them go through the
networks together. So no stream waits for another's backlog, and the more wait, the cheaper is each.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from mmgat.model.errors import ModelError
from mmgat.stream.audio.inputs import Input, streams_of
from mmgat.stream.audio.source import AudioSource, Block
from mmgat.stream.bus.protocol import Status
from mmgat.stream.engine.block_queue import SampleAccount
from mmgat.stream.engine.stream import FEW_STREAMS, Stream, Tap
from mmgat.stream.errors import StreamError
from mmgat.stream.recognition.pipeline import Pipeline, recognize_batch
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings
from mmgat.stream.sinks.base import Sink
from mmgat.stream.sinks.group import Handler, SinkGroup

RTF_TIME_S: Final = 2.0
"""Time constant over which the real-time factor is averaged."""

MAX_FAILED_ROUNDS: Final = 10
"""So many rounds that fail one after another end the engine: it does not work here."""

SHUTDOWN_TIMEOUT_S: Final = 0.5
"""After a stop, a device that does not close within this time (seconds) is left behind."""

log = logging.getLogger(__name__)


class Engine:
    """Runs its inputs until they end.

    Example::

        >>> source = FileSource(Path("song.ogg"))
        >>> source.probe()
        >>> messages = []
        >>> engine = Engine([Input(source)], load_recognizer(), [messages.append])
        >>> engine.start()
        >>> engine.wait()
        True
        >>> [round(message.t1, 2) for message in messages if isinstance(message, Estimate)]
        [0.5, 1.0, 1.5, 2.0]

    Args:
        inputs: with probed sources; the engine opens and closes them.
        recognizer: shared by all streams.
        sinks: where messages go. A ``Sink`` has a thread of its own and harms nobody; a function is
            called on the analysis thread, so it may neither wait nor fail.
        settings: hop, decision, and how much may wait.
        taps: receive the blocks that are analysed.
        clock: ``time.monotonic``, or another in tests; the blocks' times are this clock's.

    Attributes:
        error: the first fault that ended an input or the engine, or None.

    Raises:
        SourceError: an input has not the channels that are asked of it.
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        recognizer: Recognizer,
        sinks: SinkGroup | Sequence[Sink | Handler] = (),
        settings: StreamSettings | None = None,
        taps: Sequence[Tap] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self.error: Exception | None = None
        self._recognizer = recognizer
        self._sinks = sinks if isinstance(sinks, SinkGroup) else SinkGroup(sinks)
        self._waits_for_sinks = not any(item.source.live for item in inputs)
        taps = (*taps, self._put_audio)
        self._news = threading.Event()
        shape = settings or StreamSettings()
        self._hop_s = shape.hop_s
        items = streams_of(inputs)
        state = recognizer, shape, self._news, taps, clock, len(items) > FEW_STREAMS
        self._streams = [Stream(item, *state) for item in items]
        self._sources = [item.source for item in inputs]
        self._stopping, self._ended = threading.Event(), threading.Event()
        self._started_at = self._clock()
        self._round_began: float | None = None
        self._real_time_factor = 0.0
        self._n_failed = 0
        self._asking = threading.Lock()
        self._captures = [
            threading.Thread(target=self._run_capture, args=[source], name="capture", daemon=True)
            for source in self._sources
        ]
        self._analysis = threading.Thread(target=self._run_analysis, name="analysis", daemon=True)

    @property
    def accounts(self) -> dict[str, SampleAccount]:
        """Stream name -> where every frame of it went; balanced at every moment."""
        return {stream.name: stream.queue.account for stream in self._streams}

    @property
    def stuck_s(self) -> float:
        """For how many seconds a device, or a round of analysis, has not come back."""
        since = [self._round_began, *(source.health.last_poll_at for source in self._sources)]
        now = self._clock()
        return max((now - at for at in since if at is not None), default=0.0)

    def start(self) -> None:
        """Opens all sinks and sources and starts the threads.

        Raises:
            SettingsError: a sink does not open.
            SourceError: one does not open; the others are closed again.
        """
        self._sinks.open()
        try:
            for source in self._sources:
                source.open()
        except StreamError:
            for source in self._sources:
                source.close()
            raise
        self._started_at = self._clock()
        for thread in (*self._captures, self._analysis):
            thread.start()

    def stop(self) -> None:
        """Asks for the end, and returns at once.

        What is already analysed is published, what waits is discarded.
        """
        self._stopping.set()
        self._sinks.release()
        for source in self._sources:
            source.stop()
        for stream in self._streams:
            stream.queue.close(discard=True)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until all is published; returns False when the time-out passes first."""
        return self._ended.wait(timeout_s)

    def statuses(self) -> list[Status]:
        """Returns the counters of every stream now; callable from any thread."""
        with self._asking:
            now = self._clock()
            uptime_s, factor = now - self._started_at, self._real_time_factor
            statuses = [stream.status(now, uptime_s, factor) for stream in self._streams]
        lost = {"sinks_dropped": self._sinks.dropped, "sinks_dropped_s": self._sinks.dropped_s}
        warning = self._recognizer.warning or self._sinks.warning
        return [
            msgspec.structs.replace(status, message=status.message or warning, **lost)
            for status in statuses
        ]

    @property
    def paused(self) -> dict[str, bool]:
        """Stream name -> whether it is paused."""
        return {stream.name: stream.paused for stream in self._streams}

    @property
    def positions_s(self) -> dict[str, float]:
        """Stream name -> the second it is at."""
        return {s.name: s.queue.position / s.source.sample_rate_hz for s in self._streams}

    def set_paused(self, name: str, paused: bool) -> None:
        """Pauses a stream, or goes on with it; callable from any thread."""
        for stream in self._streams:
            if stream.name == name:
                stream.paused = paused
        self._news.set()

    @property
    def devices(self) -> dict[str, str]:
        """Stream name -> the device that it listens to, or ""."""
        return {stream.name: stream.source.device for stream in self._streams}

    def switch(self, name: str, device: str) -> list[str]:
        """Lets a stream's source listen to another device; callable from any thread.

        Returns:
            The streams of that source.

        Raises:
            SourceError: see ``AudioSource.switch``.
        """
        source = next(stream.source for stream in self._streams if stream.name == name)
        source.switch(device)
        return [stream.name for stream in self._streams if stream.source is source]

    def set_thresholds(self, thresholds: dict[str, float]) -> None:
        """Decides by other thresholds, label -> score, from now on; callable from any thread."""
        for stream in self._streams:
            stream.pipeline.set_thresholds(thresholds)

    def _run_capture(self, source: AudioSource) -> None:
        streams = [stream for stream in self._streams if stream.source is source]
        try:
            while (block := source.read()) is not None:
                for stream in streams:
                    stream.queue.put(stream.input.of(block))
        except Exception as error:
            self._fail(error, streams)
            if source.required:
                self.stop()
        finally:
            for stream in streams:
                stream.queue.close(discard=self._stopping.is_set())
            source.close()

    def _run_analysis(self) -> None:
        try:
            while not all(stream.done for stream in self._streams):
                self._news.wait()
                self._news.clear()
                while self._round():
                    pass
        except Exception as error:
            self._fail(error, [stream for stream in self._streams if not stream.done])
            self.stop()
        finally:
            for capture in self._captures:
                capture.join(SHUTDOWN_TIMEOUT_S if self._stopping.is_set() else None)
            for status in self.statuses():
                self._sinks.put(status)
            self._sinks.close()
            self._ended.set()

    def _round(self) -> bool:
        """The next window of every stream, recognised and emitted; False if nothing was due."""
        begun = time.perf_counter()
        self._round_began = self._clock()
        wants_graph = self._sinks.wants_graph
        for stream in self._streams:
            stream.pipeline.wants_graph = wants_graph
            stream.advance()
        pipelines = [stream.pipeline for stream in self._streams]
        n_windows, failed = self._recognize(pipelines)
        messages = [message for stream in self._streams for message in stream.pipeline.drain()]
        if n_windows:
            audio_s = n_windows * self._hop_s / len(self._streams)
            keep = math.exp(-audio_s / RTF_TIME_S)
            factor = (time.perf_counter() - begun) / audio_s
            self._real_time_factor = keep * self._real_time_factor + (1 - keep) * factor
        self._round_began = None
        for message in messages:
            self._sinks.put(message, self._waits_for_sinks)
        for pipeline in pipelines:
            for graph in pipeline.take_graphs():
                self._sinks.put(graph)
        return bool(messages) or failed

    def _recognize(self, pipelines: list[Pipeline]) -> tuple[int, bool]:
        """How many windows were recognised, and whether they were lost to a fault instead.

        Raises:
            Exception: that of the last of many rounds in a row that failed.
        """
        try:
            n_windows = recognize_batch(self._recognizer, pipelines)
        except Exception as error:
            self._n_failed += 1
            if self._n_failed >= MAX_FAILED_ROUNDS:
                raise
            for stream in self._streams:
                stream.lose_window(error)
            return 0, True
        if n_windows:
            self._n_failed = 0
        return n_windows, False

    def _put_audio(self, stream: str, rate_hz: int, live: bool, block: Block) -> None:
        self._sinks.put_audio(stream, rate_hz, live, block, self._waits_for_sinks)

    def _fail(self, error: Exception, streams: list[Stream]) -> None:
        """Keeps the first fault; one that is ours, not the user's, is logged with its traceback."""
        for stream in streams:
            stream.error = stream.error or error
        if not isinstance(error, StreamError | ModelError | BrokenPipeError):
            log.error("the engine failed", exc_info=error)
        self.error = self.error or error
