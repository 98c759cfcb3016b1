"""One stream inside the engine: its queue, its pipeline, and the counters it reports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol

from mmgat.stream.audio.inputs import StreamInput
from mmgat.stream.audio.source import Block
from mmgat.stream.bus.protocol import Status
from mmgat.stream.engine.block_queue import BlockQueue
from mmgat.stream.engine.drop_rate import DropRate
from mmgat.stream.recognition.pipeline import Pipeline
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings

PORTION_S: Final = 0.1
"""Blocks that wait are joined up to this length (seconds), so a stream that is behind takes fewer
and larger steps."""

MAX_CHANNELS: Final = 64
"""Channels whose own levels are told."""

FEW_STREAMS: Final = 8
"""More live streams gather blocks before they are analysed."""

CLIPPED_WARNING_RATE: Final = 0.01
"""Share of clipped samples, over all channels, in all frames that the user should know of."""


class Tap(Protocol):
    """Receives every block on its way to analysis, in order, on the analysis thread."""

    def __call__(self, stream: str, rate_hz: int, live: bool, block: Block) -> None:
        """Takes one block of a stream."""


class Stream:
    """The queue between capture and analysis of one stream, its pipeline, and its counters.

    Args:
        item: the stream's name, and its channels of a probed source.
        recognizer: shared by all streams.
        settings: hop, decision, and how much may wait.
        news: set when a block has come, or the end.
        taps: receive the blocks that are analysed.
        clock: seconds, monotonic.
        gathers: of a live source, blocks wait until there are ``PORTION_S`` of them or a window may be
            due: what a block costs, whatever its length, is most of what many streams cost.

    Attributes:
        queue: where the capturing thread puts blocks.
        pipeline: what the analysing thread does with them.
        error: the fault that ended the stream, or None.
        done: nothing is left to analyse.
        paused: nothing is analysed until it is False again.
        fault: why a window was lost, or "".
    """

    def __init__(
        self,
        item: StreamInput,
        recognizer: Recognizer,
        settings: StreamSettings,
        news: threading.Event,
        taps: Sequence[Tap],
        clock: Callable[[], float],
        gathers: bool,
    ) -> None:
        self.input, self.name, self.source = item, item.name, item.source
        rate = self.source.sample_rate_hz
        self._settings, self._hop_s = settings, settings.hop_s
        self._max_due = max(1, round(settings.queue_hops))
        waiting_s = settings.queue_s if self.source.live else settings.queue_hops * settings.hop_s
        self.queue = BlockQueue(round(waiting_s * rate), self.source.live, news.set)
        self.pipeline = Pipeline(recognizer, self.name, rate, settings, self.source.live, clock)
        self.error: Exception | None = None
        self.done = self.paused = False
        self.fault = ""
        self._closing = self._rests = False
        self._portion = round(PORTION_S * rate)
        self._gathers = gathers and self.source.live
        self._n_skipped = self._n_lost = 0
        self._drop_rate = DropRate()
        self._taps = taps

    def advance(self) -> None:
        """Takes waiting blocks until a window is due; of a live source, all that wait.

        Where more windows of a live source are due than ``queue_hops``, the oldest are skipped: the
        stream stays unbroken, and each skipped window counts as a hop of dropped frames.
        """
        if self._pass_by():
            return
        most = min(self._portion, self.pipeline.n_until_window)
        if self._gathers and self.pipeline.window() is None and self.queue.may_gather(most):
            return
        waiting, taken = self.queue.account.queued if self.source.live else 0, 0
        while self.pipeline.window() is None or taken < waiting:
            ended = self.queue.ended
            block = self.queue.take(self._portion)
            if block is not None:
                taken += len(block.samples)
                for tap in self._taps:
                    tap(self.name, self.source.sample_rate_hz, self.source.live, block)
                self.pipeline.push(block)
            elif ended and not self._closing:
                self._closing = True
                self.pipeline.end()
            else:
                self.done = ended and self.pipeline.window() is None
                break
        if self.source.live:
            self._count_as_dropped(self.pipeline.skip_overdue(self._max_due))

    def _pass_by(self) -> bool:
        """Of a paused stream, ends what is on; discards what is live, lets wait what can wait."""
        if self.paused and not self._rests:
            self.pipeline.end()
        self._rests = self.paused
        if self._rests and self.source.live:
            self.queue.discard_waiting()
        if self._rests and self.queue.ended:
            self.done = self.pipeline.window() is None
        return self._rests

    def lose_window(self, error: Exception) -> None:
        """Goes on without the window that is due, if one is; it counts as a hop of dropped frames."""
        if self.pipeline.window() is not None:
            self.pipeline.lose_window()
            self.fault = f"{type(error).__name__}: {error}"
            self._n_lost += 1
            self._count_as_dropped(1)

    def _count_as_dropped(self, n_windows: int) -> None:
        hop_frames = self._hop_s * self.source.sample_rate_hz
        before = round(self._n_skipped * hop_frames)
        self._n_skipped += n_windows
        self.queue.count_skipped(round(self._n_skipped * hop_frames) - before)

    def status(self, now: float, uptime_s: float, real_time_factor: float) -> Status:
        """The stream's counters at ``now`` (seconds, monotonic); callable from any thread."""
        source, pipeline, account = self.source, self.pipeline, self.queue.account
        health = source.health
        state: Literal["running", "ended", "failed"] = "ended" if self.done else "running"
        if self.error:
            state = "failed"
        drop_rate = self._drop_rate.update(now, account.captured, self.queue.overflowed)
        return Status(
            source=self.name,
            state=state,
            sample_rate_hz=source.sample_rate_hz,
            captured=account.captured,
            analysed=account.analysed,
            dropped=account.dropped,
            discarded=account.discarded,
            queued=account.queued,
            windows=pipeline.n_windows,
            xruns=health.xruns,
            longest_callback_ms=health.longest_callback_ms,
            drift_ppm=health.drift_ppm,
            liveness=health.liveness,
            outages=health.outages,
            nonfinite=pipeline.meter.nonfinite,
            clipped=pipeline.meter.clipped,
            lag_ms=pipeline.latency_ms,
            real_time_factor=real_time_factor,
            level_dbfs=pipeline.meter.level_dbfs,
            uptime_s=uptime_s,
            lost_share=drop_rate,
            lost_s=health.lost_s,
            paused=self.paused,
            capture_ms=health.capture_ms,
            queue_ms=pipeline.queue_ms,
            compute_ms=pipeline.compute_ms,
            levels_dbfs=[round(dbfs, 1) for dbfs in pipeline.meter.levels_dbfs[:MAX_CHANNELS]],
            clipped_channels=pipeline.meter.clipped_channels[:MAX_CHANNELS],
            message=self._warning(now, drop_rate),
        )

    def _warning(self, now: float, drop_rate: float) -> str:
        """The most pressing fault in words, or ""."""
        health = self.source.health
        if self.error:
            return str(self.error)
        polled_at = health.last_poll_at
        if polled_at is not None and now - polled_at > self._settings.warn_stalled_s:
            return f"the audio system has not answered for {now - polled_at:.0f} s"
        if health.warning:
            return health.warning
        if self._n_lost:
            return f"{self._n_lost} windows could not be recognised and are lost: {self.fault}"
        dropped = "of the sound of the last 5 minutes was dropped: this machine"
        if drop_rate > self._settings.warn_dropped:
            return (
                f"{drop_rate:.0%} {dropped} is too slow or too busy; use a longer --hop, fewer inputs "
                "or --model compact"
            )
        if drop_rate:
            return f"{drop_rate:.1%} {dropped} was too busy"
        meter = self.pipeline.meter
        if self.source.kind == "device" and meter.zeros_s >= self._settings.warn_zeros_s:
            return (
                f"nothing but zeros for {meter.zeros_s:.0f} s: is the input muted or "
                "unplugged, or may this program not use the microphone?"
            )
        if self.pipeline.channels_cancel:
            return (
                f"the channels are at {meter.level_dbfs:.0f} dBFS and cancel each other when they are "
                "mixed: choose one with --channels, or check the polarity of a cable"
            )
        if meter.nonfinite:
            return f"{meter.nonfinite} NaN or infinite samples replaced by zero"
        if meter.clipped > CLIPPED_WARNING_RATE * self.queue.account.captured:
            return (
                f"{meter.clipped} samples at full scale: lower the input's gain, or check the "
                "--format of --stdin"
            )
        return ""
