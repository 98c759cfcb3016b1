"""A wrapper that watches a source, and opens it again when it falls silent or goes away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from mmgat.stream.audio.liveness import Liveness, LivenessState
from mmgat.stream.audio.source import AudioSource, Block, SourceHealth
from mmgat.stream.errors import SourceError
from mmgat.stream.settings import LivenessSettings

LOOK_S: Final = 0.1

SWITCH_TIMEOUT_S: Final = 8.0
"""Within it another device has to open (seconds)."""

log = logging.getLogger(__name__)


class _HandOver:
    """A source that is to take another's place."""

    def __init__(self, source: AudioSource) -> None:
        self.source, self.done = source, threading.Event()
        self.error: SourceError | None = None
        self.given_up = self._accepted = False
        self._lock = threading.Lock()

    def give_up(self) -> bool:
        """Wants it no more; False if it is accepted already."""
        with self._lock:
            self.given_up = not self._accepted
            return self.given_up

    def accept(self) -> bool:
        """Takes the source; False if it is wanted no more."""
        with self._lock:
            self._accepted = not self.given_up
            return self._accepted


class ReconnectingSource(AudioSource):
    """Opens a lost source again: the same device at the same rate, never another one.

    Positions go on with time: what was missed is a jump, so the account, the windows and the graph
    all know of the gap. A pipe loses nothing and is not opened again: it is only watched.

    Example::

        source = ReconnectingSource(DeviceSource(), LivenessSettings(alarm_s=10))

    Args:
        inner: the source that is watched; this one opens, reopens and closes it.
        settings: when it counts as lost, and how often to try to open it.
        clock: ``time.monotonic``, or another in tests.
        pause: waits so many seconds between looks at a device that is away; the default returns
            early after ``stop``.
    """

    def __init__(
        self,
        inner: AudioSource,
        settings: LivenessSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        super().__init__(inner.name, inner.kind)
        self.live = inner.live
        self._inner, self._settings, self._clock = inner, settings or LivenessSettings(), clock
        self.required = self._settings.exit_on_loss
        self._liveness = Liveness(self._settings, clock)
        self._stopped = threading.Event()
        self._pause = pause or self._stopped.wait
        self._is_open = False
        self._end, self._ended_at = 0, clock()
        self._ahead = 0  # of the inner source's positions
        self._returning = False
        self._hand_over: _HandOver | None = None
        self._announced = 0  # outages that an interrupted block has told of
        self._warning = ""
        self._last_poll_at: float | None = None

    @property
    def health(self) -> SourceHealth:
        """That of the inner source, with its liveness and outages."""
        inner = self._inner.health
        return replace(
            inner,
            liveness=self._liveness.state,
            outages=self._liveness.outages,
            warning=self._warning or inner.warning,
            last_poll_at=self._last_poll_at,
        )

    def probe(self) -> None:
        """Probes the inner source.

        Raises:
            SourceError: it cannot be used.
        """
        self._inner.probe()
        self.info, self.device = self._inner.info, self._inner.device

    def open(self) -> None:
        """Opens the inner source, and begins to watch it.

        Raises:
            SourceError: it cannot be opened.
        """
        self._inner.open()
        self.info = self._inner.info
        self._is_open = True
        self._liveness = Liveness(self._settings, self._clock)
        self._ended_at = self._clock()
        self._announced = 0

    def read(self) -> Block | None:
        """Waits for the next block, however often the inner source has to be opened until then.

        When audio stops coming, an empty block that is ``interrupted`` says so, once.

        Raises:
            SourceError: it is lost, and the settings say ``exit_on_loss``.
        """
        while not self._stopped.is_set():
            self._last_poll_at = self._clock()
            self._take_over()
            block = self._next()
            if self._liveness.poll():
                self._reopen()
            self._describe_outage()
            if self._liveness.state is LivenessState.FAILED:
                raise SourceError(f"{self.name!r} is lost: {self._liveness.why}")
            if block is not None:
                return block
            if self._liveness.outages > self._announced:
                self._announced = self._liveness.outages
                return self._interruption()
            if not self._is_open:
                self._pause(LOOK_S)
        return None

    def switch(self, device: str) -> str:
        """Listens to another device from now on, also while the one before is away.

        The capturing thread opens it, and lets go of the other when that has worked; what was
        missed in between is a jump in the positions.

        Raises:
            SourceError: see ``AudioSource``.
        """
        other = self._inner.another(device)
        other.probe()
        self._hand_over = hand_over = _HandOver(other)
        if not hand_over.done.wait(SWITCH_TIMEOUT_S) and hand_over.give_up():
            raise SourceError(
                f"expected {device!r} to open within {SWITCH_TIMEOUT_S:g} s, found no answer: the "
                "source stays as it was"
            )
        hand_over.done.wait(SWITCH_TIMEOUT_S)
        if hand_over.error is not None:
            raise hand_over.error
        return self.device

    def stop(self) -> None:
        """Ends a waiting ``read``, also while the inner source is away."""
        self._stopped.set()
        self._inner.stop()

    def close(self) -> None:
        """Closes the inner source."""
        self._last_poll_at = None
        self._inner.close()

    def _take_over(self) -> None:
        """Opens the device that was switched to, if there is one."""
        wanted, self._hand_over = self._hand_over, None
        if wanted is None or wanted.given_up:
            return
        try:
            wanted.source.open()
        except SourceError as error:
            wanted.error = error
        else:
            if not wanted.accept():
                wanted.source.close()
                return
            log.warning("%s listens to %s from now on", self.name, wanted.source.device)
            self._inner.close()
            self._inner, self.device = wanted.source, wanted.source.device
            self._is_open = self._returning = True
            self._liveness.on_opened()
        wanted.done.set()

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
        if block is None:  # the end of a pipe, or ``stop``
            self._stopped.set()
            return None
        if not len(block.samples):
            return None
        if self._returning:
            log.warning("%s is back after %.1f s", self.name, self._liveness.no_audio_s)
            self._returning = False
            missed = round((block.captured_at - self._ended_at) * self.sample_rate_hz)
            lost = max(0, missed - len(block.samples)) if self.live else 0
            self._ahead = self._end + lost - block.position
        self._liveness.on_audio()
        placed = Block(block.position + self._ahead, block.samples, block.captured_at)
        self._end, self._ended_at = placed.end, placed.captured_at
        return placed

    def _reopen(self) -> None:
        self._is_open, self._returning = False, True
        try:
            self._inner.reopen()
        except SourceError as error:
            self._liveness.on_open_failed(" ".join(str(error).split()))  # a status is one line
        else:
            self._is_open = True
            self._liveness.on_opened()

    def _describe_outage(self) -> None:
        liveness = self._liveness
        self._warning = ""
        if liveness.state is not LivenessState.HEALTHY:
            self._warning = f"no audio for {liveness.no_audio_s:.0f} s"
            if liveness.reported:
                self._warning += f": {liveness.why}"

    def _interruption(self) -> Block:
        nothing = np.zeros((0, self.channels), np.float32)
        return Block(self._end, nothing, self._clock(), interrupted=True)
