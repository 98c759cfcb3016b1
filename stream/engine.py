"""The engine: one thread captures, one analyses, a bounded queue between them.

    source --capture--> BlockQueue --analysis--> Pipeline --> sinks (publisher, JSON lines, ...)

This is the only module with threads of its own besides the publisher's. Capture never waits for
analysis of a live source; what is not analysed in time is dropped, oldest first, and counted.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Literal

from model.errors import ModelError
from stream.block_queue import BlockQueue, SampleAccount
from stream.errors import StreamError
from stream.pipeline import Pipeline
from stream.protocol import Message, Status
from stream.settings import StreamSettings
from stream.sources import AudioSource

Sink = Callable[[Message], None]
RTF_TIME_S: Final = 2.0
"""Time constant over which the real-time factor is averaged."""

log = logging.getLogger(__name__)


class Engine:
    """Runs one source through its pipeline.

    Args:
        source: probed; the engine opens and closes it.
        pipeline: for that source.
        sinks: get every estimate and event, in order, on the analysis thread.
        settings: how much may wait.
    """

    def __init__(
        self,
        source: AudioSource,
        pipeline: Pipeline,
        sinks: list[Sink],
        settings: StreamSettings | None = None,
    ) -> None:
        self.source, self.pipeline, self.sinks = source, pipeline, sinks
        self.error: Exception | None = None
        queue_s = (settings or StreamSettings()).queue_s
        self._queue = BlockQueue(round(queue_s * source.sample_rate_hz), lossy=source.live)
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._started_at = time.monotonic()
        self._real_time_factor = 0.0
        self._capture = threading.Thread(target=self._run_capture, name="capture", daemon=True)
        self._analysis = threading.Thread(target=self._run_analysis, name="analysis", daemon=True)

    @property
    def account(self) -> SampleAccount:
        """Where every sample went; balanced at every moment."""
        return self._queue.account

    def start(self) -> None:
        """Opens the source and begins.

        Raises:
            SourceError: it does not open.
        """
        self.source.open()
        self._started_at = time.monotonic()
        self._capture.start()
        self._analysis.start()

    def stop(self) -> None:
        """Asks for the end: what is already analysed is published, what waits is discarded."""
        self._stopping.set()
        self.source.stop()
        self._queue.close(discard=True)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until all is published; False when the time-out passes first."""
        return self._ended.wait(timeout_s)

    def status(self) -> Status:
        """Counters now."""
        account, faults = self.account, self.pipeline.faults
        state: Literal["running", "ended", "failed"] = "running"
        if self._ended.is_set():
            state = "failed" if self.error else "ended"
        return Status(
            source=self.source.name,
            state=state,
            sample_rate_hz=self.source.sample_rate_hz,
            captured=account.captured,
            analysed=account.analysed,
            dropped=account.dropped,
            discarded=account.discarded,
            queued=account.queued,
            windows=self.pipeline.n_windows,
            xruns=self.source.xruns,
            liveness=self.source.liveness,
            outages=self.source.outages,
            nonfinite=faults.nonfinite,
            clipped=faults.clipped,
            lag_ms=self.pipeline.latency_ms,
            real_time_factor=self._real_time_factor,
            level_dbfs=self.pipeline.level_dbfs,
            uptime_s=time.monotonic() - self._started_at,
            message=self._warning(account),
        )

    def _warning(self, account: SampleAccount) -> str:
        if self.error:
            return str(self.error)
        if self.source.trouble:
            return self.source.trouble
        if account.dropped:
            seconds = account.dropped / self.source.sample_rate_hz
            return (
                f"{seconds:.1f} s of audio dropped: this machine is too slow or too busy; "
                "use a longer --hop or --model compact"
            )
        if self.pipeline.faults.nonfinite:
            return f"{self.pipeline.faults.nonfinite} NaN or infinite samples replaced by zero"
        return ""

    def _run_capture(self) -> None:
        try:
            while (block := self.source.read()) is not None:
                self._queue.put(block)
        except Exception as error:
            self._fail(error)
        finally:
            self._queue.close(discard=self._stopping.is_set())

    def _run_analysis(self) -> None:
        try:
            while (block := self._queue.get()) is not None:
                begun = time.perf_counter()
                self._emit(self.pipeline.process(block))
                audio_s = len(block.samples) / self.source.sample_rate_hz
                factor = (time.perf_counter() - begun) / audio_s
                keep = math.exp(-audio_s / RTF_TIME_S)
                self._real_time_factor = keep * self._real_time_factor + (1 - keep) * factor
            self._emit(self.pipeline.finish())
        except Exception as error:
            self._fail(error)
            self.stop()
        finally:
            self._capture.join()
            self.source.close()
            self._ended.set()

    def _emit(self, messages: Sequence[Message]) -> None:
        for message in messages:
            for sink in self.sinks:
                sink(message)

    def _fail(self, error: Exception) -> None:
        """Keeps the first fault; one that is ours, not the user's, is logged with its traceback."""
        if not isinstance(error, StreamError | ModelError | BrokenPipeError):
            log.error("the engine failed", exc_info=error)
        self.error = self.error or error
