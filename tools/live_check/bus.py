"""A subscriber that believes no counter: it counts estimates, events and time itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import click

from mmgat.stream.bus.protocol import Estimate, Event, Message, Status
from mmgat.stream.bus.subscriber import Subscriber

STATUS_TIMEOUT_S: Final = 3.0


class FactBrokenError(Exception):
    """A fact does not hold, and the first is enough."""


class Bus:
    """Follows what the engine publishes, and notes each fact that it breaks.

    Args:
        subscriber: of the engine.
        hop_s: seconds between windows.
        one_is_enough: the first fact that does not hold is raised.
    """

    def __init__(self, subscriber: Subscriber, hop_s: float, one_is_enough: bool = False) -> None:
        self._subscriber, self.hop_s = subscriber, hop_s
        self._one_is_enough = one_is_enough
        self.lags_ms: list[float] = []
        self.status: Status | None = None
        self.broken: list[str] = []
        self._open: dict[str, Event] = {}
        self._index = -1
        self._next_seq: dict[tuple[type, str], int] = {}

    def follow(self, seconds: float, until: Callable[[Message], bool] = lambda _: False) -> bool:
        """Listens for so long, or until a message is the one awaited; True if that came."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            message = self._subscriber.receive(left)
            if message is not None:
                self._note(message)
            if message is not None and until(message):
                return True
        return False

    def expect(self, holds: bool, fact: str) -> None:
        """Notes a fact that does not hold.

        Raises:
            FactBrokenError: it does not hold, and one is enough.
        """
        if not holds:
            self.broken.append(fact)
        if self.broken and self._one_is_enough:
            raise FactBrokenError(fact)

    def _note(self, message: Message) -> None:
        if not isinstance(message, Estimate | Event | Status):
            return
        stream = (type(message), "" if isinstance(message, Status) else message.source)
        expected = self._next_seq.get(stream, message.seq)
        self.expect(message.seq == expected, f"{stream}: seq {message.seq} instead of {expected}")
        self._next_seq[stream] = message.seq + 1
        if isinstance(message, Status):
            self.status = message
            ends = message.analysed + message.dropped + message.discarded + message.queued
            self.expect(message.captured == ends, f"not balanced: {message}")
        elif isinstance(message, Event):
            self._note_event(message)
        else:
            self.expect(message.index > self._index, f"window {message.index} comes twice")
            self._index = message.index
            if not message.partial:
                self.lags_ms.append(message.latency_ms)

    def _note_event(self, event: Event) -> None:
        if event.event == "on":
            self.expect(event.id not in self._open, f"{event.id} begins twice")
            self._open[event.id] = event
        elif begun := self._open.pop(event.id, None):
            same = event.onset_s == begun.time_s <= event.time_s
            self.expect(same, f"{event.id} ends with another onset than it began with")

    @property
    def is_anything_on(self) -> bool:
        """Whether an instrument has begun and not ended."""
        return bool(self._open)

    def expect_no_open_events(self, when: str) -> None:
        """Notes those instruments that are on and should not be."""
        self.expect(not self._open, f"{when} {sorted(self._open)} are still on")

    def next_status(self) -> Status:
        """The status that comes next; the one before if none comes within three seconds."""
        self.follow(STATUS_TIMEOUT_S, lambda message: isinstance(message, Status))
        return self.counters()

    def counters(self) -> Status:
        """The newest status.

        Raises:
            ClickException: none has come.
        """
        if self.status is None:
            raise click.ClickException("expected a status from mmgat-stream, found none")
        return self.status


def is_liveness(*states: str) -> Callable[[Message], bool]:
    """Whether a message is a status with one of these."""
    return lambda message: isinstance(message, Status) and message.liveness in states
