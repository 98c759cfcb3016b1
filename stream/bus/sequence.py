"""What of a publisher's messages is new, what was lost, and when the engine was started anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mmgat.stream.bus.protocol import Message, topic_of
from mmgat.stream.errors import ProtocolError

MAX_TOPICS: Final = 1024
"""Topics of one engine: two for each source."""

MAX_COUNT: Final = 2**53


@dataclass
class _Topic:
    """What was seen of one topic.

    Attributes:
        last: the highest ``seq``; -1 before the first.
        live: a message that was not replayed has come, so a jump from here on is a loss.
        gap: the last run of missing messages, which a replay may still bring.
        counted: the gap was counted as lost.
    """

    last: int = -1
    live: bool = False
    gap: range = range(0)
    counted: bool = False


class LossCounter:
    """Follows ``session`` and ``seq``.

    Attributes:
        lost: messages that were published and did not arrive, by the gaps in ``seq``.
        session: the engine's run that speaks now; "" before the first message.
        restarts: how often another run took over.
    """

    def __init__(self) -> None:
        self.lost = 0
        self.session = ""
        self.restarts = 0
        self._topics: dict[str, _Topic] = {}

    def follow(self, session: str) -> None:
        """Notes which run speaks; another one than before has been started anew."""
        if session != self.session:
            self.restarts += bool(self.session)
            self.session = session
            self._topics.clear()

    def admit(self, message: Message) -> bool:
        """Counts what is missing before a message; False for one that came before.

        Raises:
            ProtocolError: more topics than an engine has.
        """
        self.follow(message.session)
        topic = topic_of(message)
        if topic not in self._topics and len(self._topics) >= MAX_TOPICS:
            raise ProtocolError(f"expected at most {MAX_TOPICS} topics, found more")
        return self._advance(self._topics.setdefault(topic, _Topic()), message)

    def _advance(self, seen: _Topic, message: Message) -> bool:
        seq = message.seq
        if message.replayed and seq in seen.gap:
            self.lost -= seen.counted
            seen.gap = range(seq + 1, seen.gap.stop)
            return True
        if seq <= seen.last:
            return False
        seen.gap, seen.counted = range(seen.last + 1, seq), seen.live
        if seen.live:
            self.lost = min(self.lost + seq - seen.last - 1, MAX_COUNT)
        seen.last = seq
        seen.live = seen.live or not message.replayed
        return True
