"""Runs one sink: a bounded queue and a thread, so that a sink that fails or waits harms nobody."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from mmgat.stream.audio.source import Block
from mmgat.stream.bus.protocol import Estimate, Message
from mmgat.stream.sinks.base import Sink

MAX_MESSAGES: Final = 1000
MAX_AUDIO_BYTES: Final = 64_000_000
"""So much sound may wait for a sink."""

CALM_S: Final = 2.0
"""A sink works again when it has taken everything for so long (seconds)."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Audio:
    """Arguments of ``Sink.handle_audio``."""

    stream: str
    rate_hz: int
    live: bool
    block: Block

    @property
    def seconds(self) -> float:
        return len(self.block.samples) / self.rate_hz


def lost_in_words(n_messages: int, seconds: float) -> list[str]:
    """What an output did not take: such as ``5 messages``, ``2.5 s of sound``."""
    found = [f"{n_messages} message{'s' if n_messages > 1 else ''}"] if n_messages else []
    return found + ([f"{seconds:.1f} s of sound"] if seconds else [])


class SinkRunner:
    """One sink, its queue and its thread.

    Args:
        sink: opened, called and closed on the runner's thread, but for ``open``.
        max_messages: that may wait; beyond it the oldest estimate is dropped, or the oldest message
            if no estimate waits.
        ends_run: without its reader the run ends, so that is no fault.

    Attributes:
        dropped: messages that the sink did not take.
        dropped_s: seconds of sound that it did not take.
        warning: why one was not taken lately, or "".
        broken: nobody reads what the sink writes; it is given nothing else.
    """

    def __init__(
        self, sink: Sink, max_messages: int = MAX_MESSAGES, *, ends_run: bool = False
    ) -> None:
        self.sink, self._ends_run = sink, ends_run
        self.dropped = 0
        self.dropped_s = 0.0
        self.warning = ""
        self._failed_at = 0.0
        self.broken = False
        self._max_messages = max_messages
        self._queue: deque[Message | _Audio] = deque()
        self._n_messages = self._audio_bytes = 0
        self._may_wait = True
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"sink {sink.name}", daemon=True)

    def open(self) -> None:
        """Opens the sink and starts its thread.

        Raises:
            SettingsError: the sink cannot be opened.
        """
        self.sink.open()
        self._thread.start()

    def put(self, message: Message, wait: bool = False) -> None:
        """Queues a message that the sink wants.

        Args:
            message: of any type.
            wait: until there is room, if the sink is lossless.
        """
        if not isinstance(message, self.sink.wants):
            return
        with self._changed:
            self._wait_for_room(wait)
            if self._is_over():
                self._count(message)
                return
            if self._n_messages >= self._max_messages:
                self._drop_one()
            self._queue.append(message)
            self._n_messages += 1
            self._changed.notify_all()

    def put_audio(self, stream: str, rate_hz: int, live: bool, block: Block, wait: bool) -> None:
        """Queues a block, if the sink wants audio; see ``put``."""
        if not self.sink.wants_audio:
            return
        audio = _Audio(stream, rate_hz, live, block)
        with self._changed:
            self._wait_for_room(wait)
            if self._is_over() or self._audio_bytes >= MAX_AUDIO_BYTES:
                self._count(audio)
                return
            self._queue.append(audio)
            self._audio_bytes += block.samples.nbytes
            self._changed.notify_all()

    def release(self) -> None:
        """Lets nobody wait for room any longer."""
        with self._changed:
            self._may_wait = False
            self._changed.notify_all()

    def close(self) -> None:
        """Asks the thread to deliver what waits, close the sink and end; returns at once."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def join(self, until: float | None) -> bool:
        """Waits for the thread's end, at most until then (``time.monotonic``); False if it goes on."""
        if self._thread.ident is not None:
            self._thread.join(None if until is None else max(0.0, until - time.monotonic()))
        return not self._thread.is_alive()

    def _is_over(self) -> bool:
        return self.broken or self._closing

    def _wait_for_room(self, wait: bool) -> None:
        if wait and self.sink.lossless:
            self._changed.wait_for(
                lambda: (
                    not self._may_wait
                    or self._is_over()
                    or (
                        self._n_messages < self._max_messages
                        and self._audio_bytes < MAX_AUDIO_BYTES
                    )
                )
            )

    def _drop_one(self) -> None:
        """Drops the oldest estimate, as the next one replaces it; without one, the oldest message."""
        for wanted in (Estimate, Message):
            for index, item in enumerate(self._queue):
                if isinstance(item, wanted):
                    del self._queue[index]
                    self._n_messages -= 1
                    self._count(item)
                    return

    def _count(self, item: Message | _Audio) -> None:
        """Counts what the sink did not take."""
        if isinstance(item, Message):
            self.dropped += 1
        else:
            self.dropped_s += item.seconds

    def _run(self) -> None:
        while (item := self._next()) is not None:
            self._deliver(item)
        try:
            self.sink.close()
        except Exception as error:
            self._warn(error)

    def _next(self) -> Message | _Audio | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            if not self._queue:
                return None
            item = self._queue.popleft()
            if isinstance(item, Message):
                self._n_messages -= 1
            else:
                self._audio_bytes -= item.block.samples.nbytes
            self._changed.notify_all()
            return item

    def _deliver(self, item: Message | _Audio) -> None:
        if self.broken:
            self._count(item)
            return
        try:
            if isinstance(item, Message):
                self.sink.handle(item)
            else:
                self.sink.handle_audio(item.stream, item.rate_hz, item.live, item.block)
        except BrokenPipeError as error:
            if not self._ends_run:
                self._count(item)
                self._warn(error)
            with self._changed:
                self.broken = True
                self._changed.notify_all()
        except Exception as error:
            self._count(item)
            self._warn(error)
        else:
            if self.warning and time.monotonic() - self._failed_at >= CALM_S:
                lost = " and ".join(lost_in_words(self.dropped, self.dropped_s))
                log.warning("output %s works again; %s were lost", self.sink.name, lost)
                self.warning = ""

    def _warn(self, error: Exception) -> None:
        self._failed_at = time.monotonic()
        if isinstance(error, OSError):
            why = error.strerror or str(error) or type(error).__name__
        else:
            why = f"{type(error).__name__}: {error}"
        first, self.warning = not self.warning, f"output {self.sink.name} fails: {why}"
        if first:
            log.warning("%s; recognition goes on", self.warning)
