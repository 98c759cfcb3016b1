"""Reading the bus: subscribers that decode messages and notice what they lost.

Whoever does not use Python needs neither this module nor this package: see ``tools/examples``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

import zmq
import zmq.asyncio

from mmgat.stream.bus import endpoint
from mmgat.stream.bus.keys import ClientKeys
from mmgat.stream.bus.protocol import PREFIX, Message, from_frames, kind_of
from mmgat.stream.bus.sequence import LossCounter
from mmgat.stream.bus.validation import MAX_MESSAGE_BYTES
from mmgat.stream.errors import ProtocolError, PublishError

WARNING_PERIOD_S: Final = 60.0
MAX_KINDS: Final = 20


class _Subscription:
    """What both subscribers share: the address, the topics, the counters, the way out."""

    _socket: zmq.Socket[bytes] | zmq.asyncio.Socket

    def __init__(
        self,
        address: str,
        topics: tuple[str, ...],
        warn: Callable[[str], None],
        context: zmq.Context[zmq.Socket[bytes]] | zmq.asyncio.Context,
        keys: ClientKeys | None,
    ) -> None:
        self.address = address
        self.losses = LossCounter()
        self.damaged = 0
        self.unknown_kinds: set[str] = set()
        self._warn = warn
        self._warn_again_at = 0.0
        self._context = context
        self._socket = context.socket(zmq.SUB)
        # A cable pulled out is noticed within seconds, and the connection made anew.
        self._socket.setsockopt(zmq.HEARTBEAT_IVL, 3000)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        for topic in topics:
            self._socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        try:
            endpoint.connect(self._socket, address, keys)
        except PublishError:
            self.close()
            raise

    @property
    def session(self) -> str:
        """The engine's run that speaks now; "" before the first message."""
        return self.losses.session

    @property
    def restarts(self) -> int:
        """How often the engine was started anew while we listened."""
        return self.losses.restarts

    def _message(self, frames: list[bytes]) -> Message | None:
        """The message if it is new; whatever else a peer sends is counted."""
        try:
            message = from_frames(frames)
            if message is None:
                if len(self.unknown_kinds) < MAX_KINDS:
                    self.unknown_kinds.add(kind_of(frames[0]))
                return None
            restarts = self.restarts
            admitted = self.losses.admit(message)
        except ProtocolError as error:
            self._count_damaged(error)
            return None
        if self.restarts > restarts:
            self._warn_of_restart()
        return message if admitted else None

    def _count_damaged(self, error: ProtocolError) -> None:
        self.damaged += 1
        now = time.monotonic()
        if now >= self._warn_again_at:
            self._warn_again_at = now + WARNING_PERIOD_S
            self._warn(f"skipped {self.damaged} so far that are no messages, the last: {error}")

    def _warn_of_restart(self) -> None:
        if self.restarts <= MAX_KINDS:  # a peer that changes its session at will is no news
            self._warn(f"the engine at {self.address} was started anew")

    def close(self) -> None:
        """Gives the socket back; messages under way are lost."""
        self._context.destroy(linger=0)


def _say_nothing(_text: str) -> None:
    """The counters tell."""


class Subscriber(_Subscription):
    """New messages of one publisher, in order; what is none is skipped and counted.

    Example::

        >>> publisher = Publisher("tcp://127.0.0.1:*")
        >>> with Subscriber(publisher.connect_address) as subscriber:
        ...     print(subscriber.receive(timeout_s=0.01))  # in a loop: for message in subscriber
        None
        >>> publisher.close()

    Args:
        address: such as ``tcp://127.0.0.1:5550``; nobody needs to listen there yet.
        topics: prefixes to subscribe to; all of this protocol by default.
        warn: takes a sentence when the engine was started anew, and at most once a minute when
            something was skipped.
        keys: for an engine that has some; see ``ClientKeys.read``.

    Attributes:
        losses: counts the messages that were published and did not arrive.
        session: identifies the engine's run that speaks now.
        restarts: how often the engine was started anew while we listened.
        damaged: what arrived and was no message of this protocol.
        unknown_kinds: kinds of messages that a newer engine sends and that were skipped.

    Raises:
        PublishError: the address is none.

    One thread owns a subscriber.
    """

    _socket: zmq.Socket[bytes]

    def __init__(
        self,
        address: str,
        topics: tuple[str, ...] = (PREFIX,),
        warn: Callable[[str], None] = _say_nothing,
        keys: ClientKeys | None = None,
    ) -> None:
        super().__init__(address, topics, warn, zmq.Context(), keys)

    def receive(self, timeout_s: float | None = None) -> Message | None:
        """The next new message, or None when ``timeout_s`` passes without one."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            wait_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not self._socket.poll(None if wait_s is None else int(wait_s * 1000)):
                return None
            if message := self._message(self._socket.recv_multipart()):
                return message
            if deadline is not None and time.monotonic() > deadline:
                return None  # a flood of what is no message holds nobody up

    def __iter__(self) -> Iterator[Message]:
        while message := self.receive():
            yield message

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncSubscriber(_Subscription):
    """As :class:`Subscriber`, for asyncio: one event loop owns it.

    Example::

        async with AsyncSubscriber("tcp://studio:5550") as subscriber:
            async for message in subscriber:
                print(message)
    """

    _socket: zmq.asyncio.Socket

    def __init__(
        self,
        address: str,
        topics: tuple[str, ...] = (PREFIX,),
        warn: Callable[[str], None] = _say_nothing,
        keys: ClientKeys | None = None,
    ) -> None:
        super().__init__(address, topics, warn, zmq.asyncio.Context(), keys)

    async def receive(self) -> Message:
        """The next new message."""
        while True:
            if message := self._message(await self._socket.recv_multipart()):
                return message
            await asyncio.sleep(0)  # a flood of what is no message leaves the loop free

    async def __aiter__(self) -> AsyncIterator[Message]:
        while True:
            yield await self.receive()

    async def __aenter__(self) -> AsyncSubscriber:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
