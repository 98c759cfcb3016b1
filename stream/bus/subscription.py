"""What the two subscribers share: all but waiting for the next message."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar, Final

import zmq
import zmq.asyncio

from mmgat.stream.bus.access.keys import ClientKeys
from mmgat.stream.bus.link import Link
from mmgat.stream.bus.notices import Notice, OnNotice, ignore
from mmgat.stream.bus.protocol import (
    LIFECYCLE_TOPIC,
    PREFIX,
    STATUS_TOPIC,
    Lifecycle,
    Message,
    from_frames,
    kind_of,
    topic_of,
)
from mmgat.stream.bus.sequence import LossCounter
from mmgat.stream.bus.validation import MAX_MESSAGE_BYTES, printable
from mmgat.stream.errors import ProtocolError, PublishError

WARNING_PERIOD_S: Final = 60.0
MAX_KINDS: Final = 20
STALE_S: Final = 3.0
"""Three heartbeats that did not come; each source's status is one."""

PROBE_S: Final = 2.0
"""After so long without a word over a connection that stands, other versions are listened for."""

ATTEND_S: Final = 0.25
_HEARTBEAT: Final = (STATUS_TOPIC.encode(), LIFECYCLE_TOPIC.encode())
_FAMILY: Final = b"mmgat/v"


def _say_nothing(_text: str) -> None:
    """The counters tell."""


class Subscription:
    """The connection, the topics, the counters, the way out; see ``Subscriber``."""

    _context_class: ClassVar[type[zmq.Context[Any]]]
    _socket: zmq.Socket[bytes] | zmq.asyncio.Socket

    def __init__(
        self,
        address: str,
        topics: tuple[str, ...] = (PREFIX,),
        warn: Callable[[str], None] = _say_nothing,
        keys: ClientKeys | None = None,
        on_notice: OnNotice = ignore,
    ) -> None:
        self.address = address
        self.losses = LossCounter()
        self.damaged = 0
        self.unknown_kinds: set[str] = set()
        self.stale = False
        self.trouble = ""
        self._warn, self._on_notice = warn, on_notice
        self._warn_again_at = self._attend_at = 0.0
        self._heard_at: float | None = None
        self._quiet_since: float | None = None
        self._probing = False
        self._topics = {topic.encode() for topic in topics}
        self._context = self._context_class()
        self._socket = self._context.socket(zmq.SUB)
        # A cable pulled out is noticed within seconds, and the connection made anew.
        self._socket.setsockopt(zmq.HEARTBEAT_IVL, 3000)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        for topic in {*self._topics, *_HEARTBEAT}:
            self._socket.setsockopt(zmq.SUBSCRIBE, topic)
        try:
            self._link = Link(self._socket, address, keys)
        except PublishError:
            self._context.destroy(linger=0)
            raise

    @property
    def session(self) -> str:
        """The engine's run that speaks now; "" before the first message."""
        return self.losses.session

    @property
    def restarts(self) -> int:
        """How often the engine was started anew while we listened."""
        return self.losses.restarts

    @property
    def connected(self) -> bool:
        """Whether the connection stands, as of the last call that received."""
        return self._link.up

    @property
    def reconnects(self) -> int:
        """How often it stood again."""
        return max(0, self._link.reconnects)

    def subscribe(self, topic: str) -> None:
        """Asks for the topics that begin with ``topic``, too."""
        if (one := topic.encode()) not in self._topics:
            self._topics.add(one)
            self._socket.setsockopt(zmq.SUBSCRIBE, one)

    def unsubscribe(self, topic: str) -> None:
        """Takes back a topic that was asked for."""
        if (one := topic.encode()) in self._topics:
            self._topics.remove(one)
            if one not in _HEARTBEAT:
                self._socket.setsockopt(zmq.UNSUBSCRIBE, one)

    def _message(self, frames: list[bytes]) -> Message | None:
        """The message if it is new; whatever else a peer sends is counted."""
        if frames[0].startswith(_FAMILY) and not frames[0].startswith(PREFIX.encode()):
            self._tell_foreign(frames[0])
            return None
        asked = frames[0].startswith(tuple(self._topics))
        lost, restarts = self.losses.lost, self.restarts
        try:
            message = from_frames(frames)
            if message is None:
                if asked and len(self.unknown_kinds) < MAX_KINDS:
                    self.unknown_kinds.add(kind_of(frames[0]))
                return None
            if asked:
                asked = self.losses.admit(message)
            else:
                self.losses.follow(message.session)
        except ProtocolError as error:
            self._count_damaged(error)
            return None
        self._hear(message)
        if self.restarts > restarts:
            self._tell_restart()
        if self.losses.lost > lost:
            n, topic = self.losses.lost - lost, topic_of(message)
            self._on_notice(Notice("gap", f"{n} messages of {topic} were lost", topic, n))
        return message if asked else None

    def _hear(self, message: Message) -> None:
        """Notes a sign of life, or its orderly end."""
        ended = isinstance(message, Lifecycle) and message.state == "ended"
        self._heard_at = None if ended else time.monotonic()
        self.trouble = ""
        if self._probing:
            self._probing = False
            self._socket.setsockopt(zmq.UNSUBSCRIBE, _FAMILY)
        if self.stale:
            self.stale = False
            self._on_notice(Notice("alive", f"the engine at {self.address} is heard again"))

    def _attend(self) -> None:
        """Looks after the connection, now and then."""
        now = time.monotonic()
        if now < self._attend_at:
            return
        self._attend_at = now + ATTEND_S
        for notice in self._link.poll(now):
            self._on_notice(notice)
            if notice.kind == "refused":
                self.trouble = notice.text
                self._warn(notice.text)
            self._quiet_since = now if notice.kind == "connected" else None
        if self._heard_at is not None and not self.stale and now - self._heard_at > STALE_S:
            self.stale = True
            text = f"nothing from the engine at {self.address} for {STALE_S:g} s"
            self._on_notice(Notice("stale", text))
        quiet_since = self._quiet_since if self._heard_at is None else None
        if quiet_since is not None and not self._probing and now - quiet_since > PROBE_S:
            self._probing = True  # does it speak another version?
            self._socket.setsockopt(zmq.SUBSCRIBE, _FAMILY)

    def _tell_foreign(self, topic: bytes) -> None:
        """Says once that the engine speaks another version, and listens to that no more."""
        if self._probing:
            self._quiet_since, self._probing = None, False
            self._socket.setsockopt(zmq.UNSUBSCRIBE, _FAMILY)
            version = printable(b"/".join(topic.split(b"/")[:2])[:20].decode("utf-8", "replace"))
            text = (
                f"expected {PREFIX.rstrip('/')} from {self.address}, found {version}: update the older "
                "one of the two programs"
            )
            self.trouble = text
            self._on_notice(Notice("foreign", text))
            self._warn(text)

    def _count_damaged(self, error: ProtocolError) -> None:
        self.damaged += 1
        now = time.monotonic()
        if now >= self._warn_again_at:
            self._warn_again_at = now + WARNING_PERIOD_S
            text = f"skipped {self.damaged} so far that are no messages, the last: {error}"
            self._on_notice(Notice("damaged", text, n=self.damaged))
            self._warn(text)

    def _tell_restart(self) -> None:
        if self.restarts <= MAX_KINDS:  # a peer that changes its session at will is no news
            text = f"the engine at {self.address} was started anew"
            self._on_notice(Notice("restarted", text))
            self._warn(text)

    def close(self) -> None:
        """Gives the socket back; messages under way are lost."""
        self._link.close()
        self._context.destroy(linger=0)
