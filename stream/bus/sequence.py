"""What of a publisher's messages is new, what was lost, and when the engine was started anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mmgat.stream.bus.protocol import Message, topic_of
from mmgat.stream.errors import ProtocolError

MAX_TOPICS: Final = 1024
"""Topics of one engine: two for each source."""

MAX_COUNT: Final = 2**53


MAX_GAPS: Final = 8
"""Gaps of one topic that are remembered."""


@dataclass
class _Gap:
    """A run of missing messages, which a replay may still bring.

    Attributes:
        missing: their ``seq``.
        counted: they were counted as lost.
    """

    missing: range
    counted: bool


@dataclass
class _Topic:
    """What was seen of one topic.

    Attributes:
        last: the highest ``seq``; -1 before the first.
        live: a message that was not replayed has come, so a jump from here on is a loss.
        gaps: the newest ones. A newcomer may first get the end of a replay for somebody else, and
            live messages before its own.
    """

    last: int = -1
    live: bool = False
    gaps: tuple[_Gap, ...] = ()


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
        if seq <= seen.last:
            return message.replayed and self._fill(seen, seq)
        if seq > seen.last + 1:
            gap = _Gap(range(seen.last + 1, seq), seen.live)
            seen.gaps = (*seen.gaps, gap)[-MAX_GAPS:]
            if seen.live:
                self.lost = min(self.lost + len(gap.missing), MAX_COUNT)
        seen.last = seq
        seen.live = seen.live or not message.replayed
        return True

    def _fill(self, seen: _Topic, seq: int) -> bool:
        """Whether a replayed message was missing; replays are in order, so none before it comes."""
        for gap in seen.gaps:
            if seq in gap.missing:
                self.lost -= gap.counted
                gap.missing = range(seq + 1, gap.missing.stop)
                return True
        return False
