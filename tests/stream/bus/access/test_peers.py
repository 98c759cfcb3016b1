"""What a hostile reader may cost the publisher and the other readers: its own connection."""

from __future__ import annotations

import contextlib
import resource
import sys
from collections.abc import Iterator

import pytest

import mmgat.stream.bus.access.peers as peers
from mmgat.stream.bus.access.peers import MAX_FRAME_BYTES, MAX_TOPIC_BYTES, MAX_TOPICS_PER_PEER
from mmgat.stream.bus.protocol import Event, Message
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.bus.subscriber import Subscriber
from mmgat.stream.settings import BusSettings
from tests.stream.bus.messages import HELLO, event
from tools.fuzz_bus.peer import MORE, HostilePeer, frame


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher("tcp://127.0.0.1:*")
    publisher(HELLO)
    yield publisher
    publisher.close()


@pytest.fixture
def bystander(publisher: Publisher) -> Iterator[Subscriber]:
    """An honest reader, which gets every event that is published."""
    with Subscriber(publisher.address) as subscriber:
        assert subscriber.receive(20)
        yield subscriber
        for t in range(100):
            publisher(event(t))
        events: list[Event] = []
        while len(events) < 100:
            message = subscriber.receive(20)
            assert message is not None, f"{len(events)} of 100 events"
            if isinstance(message, Event):
                events.append(message)
        assert [e.time_s for e in events] == list(range(100))
        assert (subscriber.losses.lost, subscriber.damaged) == (0, 0)


@pytest.mark.usefixtures("bystander")
class TestAConnectionIsEnded:
    def test_by_a_frame_that_is_too_long(self, publisher: Publisher) -> None:
        with HostilePeer(publisher.address) as peer:
            peer.send(frame(b"\x01" + b"x" * 60_000_000)[:100_000])
            peer.wait_for_end()

    def test_by_a_topic_that_is_too_long(self, publisher: Publisher) -> None:
        with HostilePeer(publisher.address) as peer:
            peer.subscribe(b"x" * (MAX_TOPIC_BYTES + 1))
            peer.wait_for_end()
        assert publisher.refused == 1

    def test_by_too_many_topics(self, publisher: Publisher) -> None:
        with HostilePeer(publisher.address) as peer:
            for n in range(MAX_TOPICS_PER_PEER + 1):
                peer.subscribe(b"%d" % n)
            peer.wait_for_end()
        assert publisher.refused == 1

    def test_by_the_length_of_all_topics_together(
        self, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(peers, "MAX_BYTES_OF_TOPICS", 350)
        with HostilePeer(publisher.address) as peer:
            for n in range(4):
                peer.subscribe(b"%d" % n * 100)
            peer.wait_for_end()
        assert publisher.refused == 1

    def test_by_the_same_subscription_over_and_over(self, publisher: Publisher) -> None:
        with HostilePeer(publisher.address) as peer:
            peer.send(*[frame(b"\x01mmgat/v2/"), frame(b"\x00mmgat/v2/")] * 1000)
            peer.wait_for_end()
        assert publisher.refused == 1

    def test_by_messages_that_are_no_subscriptions(self, publisher: Publisher) -> None:
        with HostilePeer(publisher.address) as peer:
            peer.send(*[frame(b"hello")] * 2000)
            peer.wait_for_end()
        assert publisher.refused == 1

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts a connection's bytes")
    def test_by_a_message_that_never_ends(self, publisher: Publisher) -> None:
        part = frame(b"x" * MAX_FRAME_BYTES, MORE)
        with HostilePeer(publisher.address) as peer:
            peer.socket.settimeout(1.0)
            with contextlib.suppress(TimeoutError):  # ended, and the system does not say so
                for _ in range(1000):
                    if not peer.send(*[part] * 64):
                        break
            peer.socket.settimeout(20.0)
            peer.wait_for_end()
        assert publisher.refused == 1

    def test_by_what_is_no_handshake(self, publisher: Publisher) -> None:
        with HostilePeer(publisher.address) as peer:
            peer.send(b"GET / HTTP/1.1\r\n\r\n" * 100)
            peer.wait_for_end()


@pytest.mark.usefixtures("bystander")
def test_what_is_no_subscription_shuts_nobody_out(publisher: Publisher) -> None:
    with HostilePeer(publisher.address) as peer:
        peer.send(frame(b"no subscription"), frame(b"nor this"))
        with Subscriber(publisher.address) as first, Subscriber(publisher.address) as second:
            assert first.receive(20)
            assert second.receive(20)


def test_ending_subscriptions_that_never_were_costs_nothing(publisher: Publisher) -> None:
    with HostilePeer(publisher.address) as peer:
        for n in range(MAX_TOPICS_PER_PEER + 10):
            peer.send(frame(b"\x00%d" % n))
        peer.subscribe(b"mmgat/v2/hello/")
        peer.wait_for(b"mmgat/v2/hello/")
    assert publisher.refused == 0


def test_as_many_topics_as_a_peer_may_have_are_served(publisher: Publisher) -> None:
    topics = tuple(f"mmgat/v2/event/{n}/" for n in range(MAX_TOPICS_PER_PEER - 3))
    with Subscriber(publisher.address, (*topics, "mmgat/v2/hello/")) as subscriber:
        assert subscriber.receive(20)


@pytest.mark.usefixtures("bystander")
def test_a_storm_of_subscriptions_is_answered_once_a_second(publisher: Publisher) -> None:
    sent: list[Message] = []
    send = publisher._send
    publisher._send = lambda message: (sent.append(message), send(message))[1]  # type: ignore[method-assign]
    with HostilePeer(publisher.address) as peer:
        for _ in range(200):
            peer.subscribe(b"mmgat/v2/hello/")
        peer.wait_for(b"mmgat/v2/hello/")
    assert 1 <= len(sent) <= 5


@pytest.mark.parametrize(("max_readers", "n_files"), [(2, resource.RLIM_INFINITY), (1000, 202)])
def test_whoever_comes_on_top_is_turned_away_and_a_place_is_free_again(
    monkeypatch: pytest.MonkeyPatch, max_readers: int, n_files: int
) -> None:
    """By the setting, or by the files that the process may open, of which 200 are kept."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (n_files, n_files))
    publisher = Publisher("tcp://127.0.0.1:*", settings=BusSettings(max_readers=max_readers))
    publisher(HELLO)
    with Subscriber(publisher.address) as first, Subscriber(publisher.address) as second:
        assert first.receive(20)
        assert second.receive(20)
        third = Subscriber(publisher.address)
        while not publisher.refused:
            assert third.receive(0.05) is None
        assert publisher.readers <= 2
    while third.receive(0.05) is None:  # libzmq connects again by itself
        pass
    third.close()
    publisher.close()


def test_every_connection_that_is_ended_is_counted(publisher: Publisher) -> None:
    for n in range(1, 4):
        with HostilePeer(publisher.address) as peer:
            peer.subscribe(b"x" * (MAX_TOPIC_BYTES + 1))
            peer.wait_for_end()
        assert publisher.refused == n
