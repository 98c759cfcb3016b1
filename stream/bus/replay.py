"""What a newcomer missed: the messages that are sent again, marked ``replayed``."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

import msgspec

from mmgat.stream.bus.protocol import (
    Estimate,
    Event,
    Hello,
    Lifecycle,
    Mark,
    Message,
    Status,
    topic_of,
)

MAX_EVENTS: Final = 500
"""Events kept of all sources together."""

MAX_TOPICS_ASKED: Final = 256
PORTION: Final = 25
"""Messages sent at once, a hundred times a second: a reader that takes 2,500 a second loses none."""

MAX_MARKS: Final = 50
"""Marks kept."""

MAX_SOUNDING: Final = 300
"""Instruments that are on, of all sources together."""


class Replay:
    """Keeps the hello, the last estimate and status of each source, what is on, and late events.

    Args:
        history_s: age of the oldest event that is sent again.
    """

    def __init__(self, history_s: float = 600.0) -> None:
        self._history_s = history_s
        self._asked: set[bytes] = set()
        self._waiting: deque[Message] = deque()
        self._hello: Hello | None = None
        self._lifecycle: Lifecycle | None = None
        self._estimates: dict[str, Estimate] = {}
        self._statuses: dict[str, Status] = {}
        self._sounding: OrderedDict[tuple[str, str], Event] = OrderedDict()
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._marks: deque[Mark] = deque(maxlen=MAX_MARKS)

    @property
    def asked(self) -> bool:
        """Whether a newcomer waits for what it missed."""
        return bool(self._asked)

    @property
    def waiting(self) -> bool:
        """Whether some of what was begun is not sent yet."""
        return bool(self._waiting)

    def ask(self, topic: bytes) -> None:
        """Notes what a newcomer subscribes to."""
        if len(self._asked) < MAX_TOPICS_ASKED:
            self._asked.add(topic)

    def begin(self, now: float) -> None:
        """Prepares what all have asked for; ``now`` in Unix seconds."""
        topics = tuple(topic.decode("utf-8", "replace") for topic in self._asked)
        self._asked.clear()
        self._waiting.extend(self.messages(now, topics))

    def portion(self) -> list[Message]:
        """The next messages to send; they fit into the queue of a reader that takes them."""
        return [self._waiting.popleft() for _ in range(min(PORTION, len(self._waiting)))]

    def keep(self, message: Message) -> None:
        """Takes note of a message as it was published."""
        match message:
            case Hello():
                self._hello = message
            case Lifecycle():
                self._lifecycle = message
            case Estimate():
                self._estimates[message.source] = message
            case Status():
                self._statuses[message.source] = message
            case Mark():
                self._marks.append(message)
            case Event():
                self._events.append(message)
                key = (message.source, message.id)
                if message.event == "off":
                    self._sounding.pop(key, None)
                else:
                    self._sounding[key] = message
                    if len(self._sounding) > MAX_SOUNDING:
                        self._sounding.popitem(last=False)

    def messages(self, now: float, topics: tuple[str, ...]) -> list[Message]:
        """What was kept on topics that begin with one of ``topics``, ordered by ``seq`` in each.

        Args:
            now: Unix seconds.
        """
        recent = [event for event in self._events if event.time >= now - self._history_s]
        known = {(event.source, event.seq) for event in recent}
        still_on = [e for e in self._sounding.values() if (e.source, e.seq) not in known]
        kept: list[Message] = [m for m in (self._lifecycle, self._hello) if m is not None]
        kept += self._estimates.values()
        kept += sorted(self._statuses.values(), key=lambda status: status.seq)
        kept += [mark for mark in self._marks if mark.time >= now - self._history_s]
        kept += sorted([*still_on, *recent], key=lambda event: event.seq)
        return [
            msgspec.structs.replace(message, replayed=True)
            for message in kept
            if topic_of(message).startswith(topics)
        ]
