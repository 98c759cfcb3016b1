"""The subscribers against real sockets."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from mmgat.stream.bus import subscription as subscriber_module
from mmgat.stream.bus.link import Link
from mmgat.stream.bus.notices import Notice
from mmgat.stream.bus.protocol import Event, Hello, Message, to_frames
from mmgat.stream.bus.publisher import Publisher as RealPublisher
from mmgat.stream.bus.subscriber import AsyncSubscriber, Subscriber
from mmgat.stream.errors import PublishError
from tests.stream.bus.messages import HELLO, LIFECYCLE, STATUS
from tests.stream.bus.messages import event as any_event


def hello(seq: int = 0, session: str = "a") -> Hello:
    return msgspec.structs.replace(HELLO, session=session, seq=seq)


def event(seq: int, session: str = "a", source: str = "mic") -> Event:
    return any_event(session=session, seq=seq, source=source, id=str(seq))


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


def test_damaged_messages_are_skipped_counted_and_told_once_a_minute(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(subscriber_module.time, "monotonic", lambda: now)
    told: list[str] = []
    notices: list[Notice] = []
    damaged = [b"mmgat/v2/status/", b"\xc1"]
    with Subscriber(publisher.address, warn=told.append, on_notice=notices.append) as subscriber:
        publisher.send(damaged, damaged, damaged, event(0))
        assert subscriber.receive(5) == event(0)
        assert subscriber.damaged == 3
        assert len(told) == 1
        assert "damaged message of kind status" in told[0]
        now += 61
        publisher.send(damaged, damaged, event(1))
        assert subscriber.receive(5) == event(1)
        assert len(told) == 2
        assert "skipped 4 so far" in told[1]
        damages = [notice for notice in notices if notice.kind == "damaged"]
        assert damages == [Notice("damaged", told[0], n=1), Notice("damaged", told[1], n=4)]


def test_iteration_goes_on_behind_a_damaged_message(publisher: Publisher) -> None:
    with Subscriber(publisher.address) as subscriber:
        publisher.send(
            [b"mmgat/v2/status/", b"\xc1"], event(0), [b"mmgat/v2/x", b"", b""], event(1)
        )
        messages = iter(subscriber)
        assert [next(messages), next(messages)] == [event(0), event(1)]
        assert subscriber.damaged == 2


def test_kinds_of_a_newer_engine_are_named_and_no_damage(publisher: Publisher) -> None:
    with Subscriber(publisher.address) as subscriber:
        publisher.send([b"mmgat/v2/aurora/mic/", b"?"], event(0))
        assert subscriber.receive(5) == event(0)
        assert subscriber.unknown_kinds == {"aurora"}
        assert subscriber.damaged == 0


def test_an_engine_started_anew_is_told(publisher: Publisher) -> None:
    told: list[str] = []
    with Subscriber(publisher.address, warn=told.append) as subscriber:
        publisher.send(event(50), event(0, session="b"), event(1, session="b"))
        assert subscriber.receive(5)
        assert (subscriber.session, subscriber.restarts) == ("a", 0)
        assert subscriber.receive(5)
        assert subscriber.receive(5)
        assert (subscriber.session, subscriber.restarts) == ("b", 1)
        assert told == [f"the engine at {publisher.address} was started anew"]


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


async def test_async_goes_on_behind_a_damaged_message(publisher: Publisher) -> None:
    async with AsyncSubscriber(publisher.address) as subscriber:
        publisher.send([b"mmgat/v2/status/", b""], event(0))
        assert await asyncio.wait_for(subscriber.receive(), 5) == event(0)
        assert subscriber.damaged == 1


async def test_async_a_flood_of_damaged_messages_leaves_the_loop_free(publisher: Publisher) -> None:
    async with AsyncSubscriber(publisher.address) as subscriber:
        publisher.send(*[[b"mmgat/v2/status/", b""]] * 500)
        receiving = asyncio.ensure_future(subscriber.receive())
        turns = 0
        while subscriber.damaged < 500:
            await asyncio.sleep(0)
            turns += 1
        assert turns >= 500
        receiving.cancel()


class Clock:
    """The subscription's time, which a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(subscriber_module.time, "monotonic", lambda: self.now)


def until(subscriber: Subscriber, notices: list[Notice], kind: str, clock: Clock) -> Notice:
    """The first notice of a kind; time goes on while nothing comes."""
    while not (found := [notice for notice in notices if notice.kind == kind]):
        subscriber.receive(0)
        clock.now += 0.01
    return found[0]


def test_silence_is_told_once_and_its_end_too(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, notices = Clock(monkeypatch), list[Notice]()
    with Subscriber(
        publisher.address, ("mmgat/v2/event/",), on_notice=notices.append
    ) as subscriber:
        publisher.send(msgspec.structs.replace(STATUS, session="a"))
        while subscriber.session != "a":
            assert subscriber.receive(0) is None  # a heartbeat that nobody asked for
            clock.now += 0.001
        assert not subscriber.stale
        assert "nothing from the engine" in until(subscriber, notices, "stale", clock).text
        assert subscriber.stale
        publisher.send(msgspec.structs.replace(STATUS, session="a", seq=1))
        assert until(subscriber, notices, "alive", clock)
        assert not subscriber.stale
        assert [notice.kind for notice in notices] == ["connected", "stale", "alive"]
        assert subscriber.losses.lost == 0


def test_an_engine_that_ends_in_order_is_not_stale(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, notices = Clock(monkeypatch), list[Notice]()
    ended = msgspec.structs.replace(LIFECYCLE, state="ended", session="a")
    with Subscriber(publisher.address, on_notice=notices.append) as subscriber:
        publisher.send(event(0), ended)
        while subscriber.receive(0) != ended:
            clock.now += 0.001
        for _ in range(100):
            clock.now += 1.0
            assert subscriber.receive(0) is None
        assert [notice.kind for notice in notices] == ["connected"]


def test_gaps_are_told_with_their_topic(publisher: Publisher) -> None:
    notices: list[Notice] = []
    with Subscriber(publisher.address, on_notice=notices.append) as subscriber:
        publisher.send(event(0), event(5))
        assert subscriber.receive(5)
        assert subscriber.receive(5)
    (gap,) = (notice for notice in notices if notice.kind == "gap")
    assert (gap.topic, gap.n) == ("mmgat/v2/event/mic/", 4)


def test_a_connection_that_comes_again_is_counted(tmp_path: Path) -> None:
    notices: list[Notice] = []
    address = f"ipc://{tmp_path}/bus"
    with Subscriber(address, on_notice=notices.append) as subscriber:
        for n in range(2):
            engine = RealPublisher(address)
            engine(hello())
            while not (subscriber.connected and subscriber.reconnects == n):
                subscriber.receive(0.05)
            engine.close()
            while subscriber.connected:
                subscriber.receive(0.05)
        assert subscriber.restarts == 1
    kinds = [n.kind for n in notices if n.kind in ("connected", "disconnected")]
    assert kinds == ["connected", "disconnected", "connected", "disconnected"]
    (restarted,) = [n for n in notices if n.kind == "restarted"]
    assert restarted.text.endswith("was started anew")


def test_an_engine_of_another_version_is_named(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, notices, told = Clock(monkeypatch), list[Notice](), list[str]()
    with Subscriber(publisher.address, warn=told.append, on_notice=notices.append) as subscriber:
        while not [n for n in notices if n.kind == "foreign"]:
            publisher.send([b"mmgat/v3\x1b/hello/", b"\x80"])
            subscriber.receive(0)
            clock.now += 0.1
        assert [subscriber.trouble] == told
        while subscriber.trouble:  # somebody updated it
            publisher.send(hello())
            subscriber.receive(0.05)
    assert len(told) == 1
    assert told[0].startswith(f"expected mmgat/v2 from {publisher.address}, found mmgat/v3")
    assert "\x1b" not in told[0]


def test_topics_are_asked_for_and_taken_back_later(publisher: Publisher) -> None:
    with Subscriber(publisher.address, ("mmgat/v2/hello/",)) as subscriber:
        publisher.send(event(0), hello())
        assert subscriber.receive(5) == hello()
        subscriber.subscribe("mmgat/v2/event/")
        n = 1
        publisher.send(event(n))
        while subscriber.receive(0.05) is None:
            n += 1
            publisher.send(event(n))
        subscriber.unsubscribe("mmgat/v2/event/")
        while subscriber.receive(0.05):
            pass
        publisher.send(event(n + 1), hello(1))
        assert subscriber.receive(5) == hello(1)


def test_a_subscriber_imports_pyzmq_and_msgspec_only() -> None:
    code = (
        "import sys; before = set(sys.modules); from mmgat.stream import Subscriber; "
        "new = {m.split('.')[0] for m in set(sys.modules) - before} - sys.stdlib_module_names"
        " - {'cython_runtime', 'typing_extensions'}; "  # pyzmq brings them
        "print(sorted(m for m in new if not m.startswith('_')))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['mmgat', 'msgspec', 'zmq']"


def test_a_subscriber_looks_every_three_seconds_whether_the_engine_is_there(
    publisher: Publisher,
) -> None:
    with Subscriber(publisher.address) as subscriber:
        assert subscriber._socket.getsockopt(zmq.HEARTBEAT_IVL) == 3000


def test_a_connection_that_ends_in_its_handshake_twice_may_be_an_engine_that_ends() -> None:
    with zmq.Context() as context, context.socket(zmq.SUB) as sock:
        link = Link(sock, "tcp://127.0.0.1:1", None)
        told = [list(link._refused(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, 0.0)) for _ in range(4)]
        link.close()
    assert [len(notices) for notices in told] == [0, 0, 1, 0]
    assert "it may need --key and --server-key" in told[2][0].text
