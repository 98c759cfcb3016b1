"""Reading the bus: subscribers that decode messages and notice what they lost.

Whoever does not use Python needs neither this module nor this package: see ``tools/examples``.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

import zmq
import zmq.asyncio

from mmgat.stream.bus.protocol import PREFIX, Message, from_frames, topic_of
from mmgat.stream.errors import PublishError


class LossCounter:
    """Counts messages that were published and did not arrive, by the gaps in ``seq``.

    ``admit`` is False for a message seen before: a publisher repeats its hello to newcomers.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._last: dict[str, tuple[str, int]] = {}

    def admit(self, message: Message) -> bool:
        """Counts what is missing before a message; False for one that came before."""
        topic = topic_of(message)
        session, last = self._last.get(topic, ("", -1))
        if session == message.session:
            if message.seq <= last:
                return False
            self.lost += message.seq - last - 1
        self._last[topic] = (message.session, message.seq)
        return True


class _Subscription:
    """What both subscribers share: the address, the topics, the losses, the way out."""

    _socket: zmq.Socket[bytes] | zmq.asyncio.Socket

    def __init__(
        self,
        address: str,
        topics: tuple[str, ...],
        context: zmq.Context[zmq.Socket[bytes]] | zmq.asyncio.Context,
    ) -> None:
        self.address = address
        self.losses = LossCounter()
        self._context = context
        self._socket = context.socket(zmq.SUB)
        # A cable pulled out is noticed within seconds, and the connection made anew.
        self._socket.setsockopt(zmq.HEARTBEAT_IVL, 3000)
        for topic in topics:
            self._socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        try:
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self.close()
            raise PublishError(
                f"expected an address such as tcp://127.0.0.1:5550, found {address!r} ({error})"
            ) from None

    def _message(self, frames: list[bytes]) -> Message | None:
        message = from_frames(frames)
        return message if self.losses.admit(message) else None

    def close(self) -> None:
        """Gives the socket back; messages under way are lost."""
        self._context.destroy(linger=0)


class Subscriber(_Subscription):
    """Messages of one publisher, in order.

    Example::

        >>> publisher = Publisher("tcp://127.0.0.1:*")
        >>> with Subscriber(publisher.connect_address) as subscriber:
        ...     print(subscriber.receive(timeout_s=0.01))  # in a loop: for message in subscriber
        None
        >>> publisher.close()

    Args:
        address: such as ``tcp://127.0.0.1:5550``; nobody needs to listen there yet.
        topics: prefixes to subscribe to; all of this protocol by default.

    Raises:
        PublishError: the address is none.

    One thread owns a subscriber.
    """

    _socket: zmq.Socket[bytes]

    def __init__(self, address: str, topics: tuple[str, ...] = (PREFIX,)) -> None:
        super().__init__(address, topics, zmq.Context())

    def receive(self, timeout_s: float | None = None) -> Message | None:
        """The next new message, or None when ``timeout_s`` passes without one.

        Raises:
            ProtocolError: something else arrived; the next call goes on behind it.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            wait_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not self._socket.poll(None if wait_s is None else int(wait_s * 1000)):
                return None
            if message := self._message(self._socket.recv_multipart()):
                return message

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

    def __init__(self, address: str, topics: tuple[str, ...] = (PREFIX,)) -> None:
        super().__init__(address, topics, zmq.asyncio.Context())

    async def receive(self) -> Message:
        """The next new message.

        Raises:
            ProtocolError: something else arrived; the next call goes on behind it.
        """
        while True:
            if message := self._message(await self._socket.recv_multipart()):
                return message

    async def __aiter__(self) -> AsyncIterator[Message]:
        while True:
            yield await self.receive()

    async def __aenter__(self) -> AsyncSubscriber:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
