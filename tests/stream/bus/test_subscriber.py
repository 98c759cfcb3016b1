"""The subscribers against real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
import zmq

from mmgat.stream.bus.protocol import Event, Hello, Message, ModelInfo, to_frames
from mmgat.stream.bus.subscriber import AsyncSubscriber, LossCounter, Subscriber
from mmgat.stream.errors import ProtocolError, PublishError


def hello(seq: int = 0, session: str = "a") -> Hello:
    return Hello(
        session=session,
        seq=seq,
        version="0.1",
        model=ModelInfo(name="m", version="1", embedder="compact", variant="1", thresholds={}),
        labels=["piano"],
        sources=[],
        hop_s=0.5,
        nodes=10,
    )


def event(seq: int, session: str = "a", source: str = "mic") -> Event:
    return Event(
        session=session,
        seq=seq,
        source=source,
        event="on",
        id=str(seq),
        label="piano",
        time_s=0.0,
        onset_s=0.0,
        score=0.5,
    )


class Publisher:
    """A bound XPUB; ``send`` waits until somebody has subscribed."""

    def __init__(self) -> None:
        self._socket = zmq.Context.instance().socket(zmq.XPUB)
        port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.address = f"tcp://127.0.0.1:{port}"
        self._subscribed = False

    def send(self, *messages: Message | list[bytes]) -> None:
        if not self._subscribed:
            assert self._socket.poll(5000), "nobody subscribed"
            self._subscribed = bool(self._socket.recv())
        for message in messages:
            frames = message if isinstance(message, list) else to_frames(message)
            self._socket.send_multipart(frames)

    def close(self) -> None:
        self._socket.close(linger=0)


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher()
    yield publisher
    publisher.close()


def test_receives_messages_in_order(publisher: Publisher) -> None:
    with Subscriber(publisher.address) as subscriber:
        publisher.send(hello(), event(0), event(1))
        assert [subscriber.receive(5) for _ in range(3)] == [hello(), event(0), event(1)]


def test_iterates(publisher: Publisher) -> None:
    with Subscriber(publisher.address) as subscriber:
        publisher.send(event(0), event(1))
        messages = iter(subscriber)
        assert [next(messages), next(messages)] == [event(0), event(1)]


def test_none_when_nothing_comes(publisher: Publisher) -> None:
    with Subscriber(publisher.address) as subscriber:
        begun = time.monotonic()
        assert subscriber.receive(0.05) is None
        assert time.monotonic() - begun >= 0.04


def test_repeated_hello_is_ignored(publisher: Publisher) -> None:
    with Subscriber(publisher.address) as subscriber:
        publisher.send(hello(), hello(), hello(), event(0))
        assert [subscriber.receive(5), subscriber.receive(5)] == [hello(), event(0)]
        assert subscriber.losses.lost == 0


def test_gaps_are_counted_for_every_topic_alone(publisher: Publisher) -> None:
    with Subscriber(publisher.address) as subscriber:
        publisher.send(event(7), event(10), event(3, source="line"), event(4, source="line"))
        for _ in range(4):
            assert subscriber.receive(5)
        assert subscriber.losses.lost == 2


def test_new_session_counts_from_its_own_start() -> None:
    losses = LossCounter()
    assert all(losses.admit(m) for m in (event(50), event(0, session="b"), event(1, session="b")))
    assert losses.lost == 0


def test_goes_on_behind_a_foreign_message(publisher: Publisher) -> None:
    with Subscriber(publisher.address) as subscriber:
        publisher.send([b"mmgat/v2/status/", b"\xc1"], event(0))
        with pytest.raises(ProtocolError, match="damaged"):
            subscriber.receive(5)
        assert subscriber.receive(5) == event(0)


def test_only_the_topics_asked_for(publisher: Publisher) -> None:
    with Subscriber(publisher.address, topics=("mmgat/v2/event/",)) as subscriber:
        publisher.send(hello(), event(0))
        assert subscriber.receive(5) == event(0)


@pytest.mark.parametrize("kind", [Subscriber, AsyncSubscriber])
@pytest.mark.parametrize("address", ["", "studio", "tcp://studio", "http://studio:5550"])
def test_bad_address(kind: type[Subscriber], address: str) -> None:
    with pytest.raises(PublishError, match=r"expected an address such as tcp://127\.0\.0\.1:5550"):
        kind(address)


async def test_async_iteration(publisher: Publisher) -> None:
    async with AsyncSubscriber(publisher.address) as subscriber:
        publisher.send(hello(), event(0), event(0), event(3))
        received: list[Message] = []
        async with asyncio.timeout(5):
            async for message in subscriber:
                received.append(message)
                if len(received) == 3:
                    break
        assert received == [hello(), event(0), event(3)]
        assert subscriber.losses.lost == 2


async def test_async_waiting_leaves_the_loop_free_and_can_be_cancelled(
    publisher: Publisher,
) -> None:
    async with AsyncSubscriber(publisher.address) as subscriber:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(subscriber.receive(), 0.05)
        publisher.send(event(0))
        assert await asyncio.wait_for(subscriber.receive(), 5) == event(0)


async def test_async_goes_on_behind_a_foreign_message(publisher: Publisher) -> None:
    async with AsyncSubscriber(publisher.address) as subscriber:
        publisher.send([b"mmgat/v2/other/", b""], event(0))
        with pytest.raises(ProtocolError, match="topic"):
            await asyncio.wait_for(subscriber.receive(), 5)
        assert await asyncio.wait_for(subscriber.receive(), 5) == event(0)
