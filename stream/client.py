"""Reading the bus: a subscriber that decodes messages and notices what it lost.

Whoever does not use Python needs neither this module nor this package: see ``tools/examples``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import zmq
import zmq.asyncio

from stream.errors import PublishError
from stream.protocol import PREFIX, Message, from_frames, topic_of


class LossCounter:
    """Counts messages that were published and did not arrive, by the gaps in ``seq``.

    ``admit`` is False for a message seen before: a publisher repeats its hello to newcomers.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._last: dict[str, tuple[str, int]] = {}

    def admit(self, message: Message) -> bool:
        topic = topic_of(message)
        session, last = self._last.get(topic, ("", -1))
        if session == message.session:
            if message.seq <= last:
                return False
            self.lost += message.seq - last - 1
        self._last[topic] = (message.session, message.seq)
        return True


class Subscriber:
    """Messages of one publisher, in order.

    Args:
        address: such as ``tcp://127.0.0.1:5550``; nobody needs to listen there yet.
        topics: prefixes to subscribe to; all of this protocol by default.

    Raises:
        PublishError: the address is none.

    One thread (or one event loop) owns a subscriber.
    """

    def __init__(self, address: str, topics: tuple[str, ...] = (PREFIX,)) -> None:
        self.address = address
        self.losses = LossCounter()
        self._context = zmq.asyncio.Context()
        self._socket = zmq.Socket(self._context, zmq.SUB)
        try:
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self.close()
            raise PublishError(
                f"expected an address such as tcp://127.0.0.1:5550, found {address!r} ({error})"
            ) from None
        for topic in topics:
            self._socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        self._async_socket = zmq.asyncio.Socket.from_socket(self._socket)

    def receive(self, timeout_s: float | None = None) -> Message | None:
        """The next new message, or None when ``timeout_s`` passes without one.

        Raises:
            ProtocolError: something else arrived.
        """
        while True:
            if not self._socket.poll(None if timeout_s is None else int(timeout_s * 1000)):
                return None
            message = from_frames(self._socket.recv_multipart())
            if self.losses.admit(message):
                return message

    def __iter__(self) -> Iterator[Message]:
        while (message := self.receive()) is not None:
            yield message

    async def __aiter__(self) -> AsyncIterator[Message]:
        while True:
            message = from_frames(await self._async_socket.recv_multipart())
            if self.losses.admit(message):
                yield message

    def close(self) -> None:
        """Gives the socket back; messages under way are lost."""
        self._context.destroy(linger=0)

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
