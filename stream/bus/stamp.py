"""Fills in what every message carries: the session, its number within the topic, the time."""

from __future__ import annotations

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

import msgspec

from mmgat.stream.bus.protocol import Message, topic_of

M = TypeVar("M", bound=Message)


class Stamp:
    """Numbers the messages of one session; callable from any thread.

    Args:
        session: identifies the run; a new one is made up if it is not given.
        clock: ``time.time``, or another in tests.

    Attributes:
        session: as given or made up.
    """

    def __init__(self, session: str = "", clock: Callable[[], float] = time.time) -> None:
        self.session = session or uuid.uuid4().hex[:12]
        self._clock = clock
        self._lock = threading.Lock()
        self._next: defaultdict[str, int] = defaultdict(int)

    def skip(self, topic: str, n: int) -> None:
        """Leaves out ``n`` numbers of a topic: so many messages were lost before they came here."""
        with self._lock:
            self._next[topic] += n

    def __call__(self, message: M) -> M:
        """The message with ``session``, ``seq`` and ``time``; a time that it has is kept."""
        topic = topic_of(message)
        with self._lock:
            seq = self._next[topic]
            self._next[topic] = seq + 1
        return msgspec.structs.replace(
            message, session=self.session, seq=seq, time=message.time or self._clock()
        )
