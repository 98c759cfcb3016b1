"""Reading the bus: subscribers that decode messages and notice what they lost.

Whoever does not use Python needs neither this module nor this package: see ``tools/examples``.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator

import zmq
import zmq.asyncio

from mmgat.stream.bus.protocol import Message
from mmgat.stream.bus.subscription import ATTEND_S, Subscription


class Subscriber(Subscription):
    """New messages of one publisher, in order; what is none is skipped and counted.

    Example::

        >>> publisher = Publisher("tcp://127.0.0.1:*")
        >>> with Subscriber(publisher.connect_address, ("mmgat/v2/event/",)) as subscriber:
        ...     print(subscriber.receive(timeout_s=0.01))  # in a loop: for message in subscriber
        None
        >>> publisher.close()

    Args:
        address: such as ``tcp://127.0.0.1:5550``; nobody needs to listen there yet.
        topics: prefixes to subscribe to; all of this protocol by default.
        warn: takes a sentence when the engine was started anew, and at most once a minute when
            something was skipped.
        keys: for an engine that has some; see ``ClientKeys.read``.
        on_notice: takes what happens to the connection and the engine, as it is received.

    Attributes:
        losses: counts the messages that were published and did not arrive.
        session: identifies the engine's run that speaks now.
        restarts: how often the engine was started anew while we listened.
        damaged: what arrived and was no message of this protocol.
        unknown_kinds: kinds of messages that a newer engine sends and that were skipped.
        stale: no heartbeat for three seconds.
        trouble: why nothing comes, if the engine refuses us or speaks another version; else "".
        connected, reconnects: whether the connection stands, and how often it stood again.

    Raises:
        PublishError: the address is none.

    One thread owns a subscriber.
    """

    _context_class = zmq.Context
    _socket: zmq.Socket[bytes]

    def receive(self, timeout_s: float | None = None) -> Message | None:
        """The next new message, or None when ``timeout_s`` passes without one."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left_s = ATTEND_S if deadline is None else max(0.0, deadline - time.monotonic())
            self._attend()
            if not self._socket.poll(math.ceil(1000 * min(ATTEND_S, left_s))):
                if deadline is not None and time.monotonic() >= deadline:
                    return None
                continue
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


class AsyncSubscriber(Subscription):
    """As :class:`Subscriber`, for asyncio: one event loop owns it.

    Example::

        async with AsyncSubscriber("tcp://studio:5550") as subscriber:
            async for message in subscriber:
                print(message)
    """

    _context_class = zmq.asyncio.Context
    _socket: zmq.asyncio.Socket

    async def receive(self) -> Message:
        """The next new message."""
        while True:
            self._attend()
            if await self._socket.poll(math.ceil(1000 * ATTEND_S)):
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
