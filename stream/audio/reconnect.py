"""A live source that is opened again when it falls silent or goes away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from mmgat.stream.audio.liveness import Liveness, LivenessState
from mmgat.stream.audio.source import AudioSource, Block
from mmgat.stream.errors import SourceError
from mmgat.stream.settings import LivenessSettings

LOOK_S: Final = 0.1

log = logging.getLogger(__name__)


class ReconnectingSource(AudioSource):
    """A source whose faults heal: the same device at the same rate, never another one.

    Positions go on with time: what nobody heard is a jump, so the account, the windows and the
    graph all know of the gap.

    Args:
        inner: the live source; this one opens, reopens and closes it.
        settings: when to worry and how often to try.
        clock: ``time.monotonic``, or another in tests.
        pause: waits so many seconds between looks at a device that is away; by default until
            ``stop`` at the most.

    Raises (``read``): SourceError: it is lost and ``exit_on_loss`` is set.
    """

    live = True

    def __init__(
        self,
        inner: AudioSource,
        settings: LivenessSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        super().__init__(inner.name)
        self.kind = inner.kind
        self._inner, self._settings, self._clock = inner, settings or LivenessSettings(), clock
        self.required = self._settings.exit_on_loss
        self._liveness = Liveness(self._settings, clock)
        self._stopped = threading.Event()
        self._pause = pause or self._stopped.wait
        self._is_open = False
        self._end, self._ended_at = 0, clock()
        self._ahead = 0  # of the inner source's positions
        self._returning = False

    def probe(self) -> None:
        self._inner.probe()
        self._take_description()

    def open(self) -> None:
        self._inner.open()
        self._take_description()
        self._is_open = True
        self._liveness = Liveness(self._settings, self._clock)
        self._ended_at = self._clock()

    def read(self) -> Block | None:
        while not self._stopped.is_set():
            self.last_poll_at = self._clock()
            block = self._next()
            if self._liveness.poll():
                self._reopen()
            self._take_health()
            if self._liveness.state is LivenessState.FAILED:
                raise SourceError(f"{self.name!r} is lost: {self._liveness.why}")
            if block is not None:
                return block
            if not self._is_open:
                self._pause(LOOK_S)
        return None

    def stop(self) -> None:
        self._stopped.set()
        self._inner.stop()

    def close(self) -> None:
        self.last_poll_at = None
        self._inner.close()

    def _next(self) -> Block | None:
        """The next block at its place in time, if there is one soon."""
        if not self._is_open:
            return None
        try:
            block = self._inner.read()
        except SourceError as error:
            self._inner.close()
            self._is_open = False
            self._liveness.on_lost(str(error))
            log.warning("%s: %s", self.name, error)
            return None
        if block is None or not len(block.samples):
            return None
        if self._returning:
            log.warning("%s is back after %.1f s", self.name, self._liveness.no_audio_s)
            self._returning = False
            missed = round((block.captured_at - self._ended_at) * self.sample_rate_hz)
            start = self._end + max(0, missed - len(block.samples))
            self._ahead = start - block.position
        self._liveness.on_audio()
        placed = Block(block.position + self._ahead, block.samples, block.captured_at)
        self._end, self._ended_at = placed.end, placed.captured_at
        return placed

    def _reopen(self) -> None:
        self._is_open, self._returning = False, True
        try:
            self._inner.reopen()
        except SourceError as error:
            self._liveness.on_open_failed(str(error))
        else:
            self._is_open = True
            self._liveness.on_opened()

    def _take_description(self) -> None:
        self.name = self._inner.name
        self.sample_rate_hz, self.channels = self._inner.sample_rate_hz, self._inner.channels

    def _take_health(self) -> None:
        liveness = self._liveness
        self.xruns, self.outages = self._inner.xruns, liveness.outages
        self.longest_callback_ms = self._inner.longest_callback_ms
        self.drift_ppm = self._inner.drift_ppm
        self.liveness, self.warning = liveness.state, ""
        if liveness.state is not LivenessState.HEALTHY:
            self.warning = f"no audio for {liveness.no_audio_s:.0f} s: {liveness.why}"
