"""Real sockets; the subscriber is plain pyzmq and msgpack, and knows nothing of this package."""

import threading
from collections.abc import Iterator

import msgpack
import msgspec
import pytest
import zmq

from mmgat.model.labels import LABELS
from mmgat.stream.bus.protocol import Hello
from mmgat.stream.bus.publisher import MAX_WAITING, Publisher
from mmgat.stream.bus.subscriber import Subscriber
from mmgat.stream.errors import PublishError
from mmgat.stream.settings import BusSettings
from tests.stream.bus.messages import ESTIMATE, HELLO, STATUS, event


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher("tcp://127.0.0.1:*", lambda: [STATUS])
    yield publisher
    publisher.close()


@pytest.fixture
def subscriber(publisher: Publisher) -> Iterator[zmq.Socket]:
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.setsockopt(zmq.RCVTIMEO, 20_000)
        socket.connect(publisher.address)
        yield socket


def receive(subscriber: zmq.Socket) -> tuple[str, dict]:
    topic, payload = subscriber.recv_multipart()
    return topic.decode(), msgpack.unpackb(payload)


def test_a_late_subscriber_gets_the_hello(publisher: Publisher, subscriber: zmq.Socket) -> None:
    publisher(HELLO)
    subscriber.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/hello/")
    topic, hello = receive(subscriber)
    assert topic == "mmgat/v2/hello/"
    assert hello["labels"] == ["a"]
    assert hello["session"] == publisher.session


def test_messages_come_in_order_and_their_seq_counts_up(
    publisher: Publisher, subscriber: zmq.Socket
) -> None:
    publisher(HELLO)
    subscriber.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/")
    while receive(subscriber)[0] != "mmgat/v2/hello/":
        pass  # once the hello is here, the publisher knows this subscription
    for t in range(5):
        publisher(event(t))
    events = []
    while len(events) < 5:
        topic, message = receive(subscriber)
        if topic == "mmgat/v2/event/lab/":
            events.append(message)
    assert [message["time_s"] for message in events] == [0, 1, 2, 3, 4]
    assert [message["seq"] for message in events] == [0, 1, 2, 3, 4]


def test_status_comes_by_itself(subscriber: zmq.Socket) -> None:
    subscriber.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/status/")
    while (first := receive(subscriber)[1])["replayed"]:
        pass  # what a newcomer missed may come between
    while (second := receive(subscriber)[1])["replayed"]:
        pass
    assert second["seq"] == first["seq"] + 1
    assert first["captured"] == first["analysed"] + first["dropped"]


def test_closing_sends_what_waits(publisher: Publisher, subscriber: zmq.Socket) -> None:
    publisher(HELLO)
    subscriber.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/")
    while receive(subscriber)[0] != "mmgat/v2/hello/":
        pass
    for t in range(100):
        publisher(event(t))
    publisher.close()
    times = []
    while len(times) < 100:
        topic, message = receive(subscriber)
        if topic.startswith("mmgat/v2/event/"):
            times.append(message["time_s"])
    assert times == list(range(100))


def test_an_address_in_use_is_refused_with_the_flag(publisher: Publisher) -> None:
    with pytest.raises(PublishError, match=r"in use.*--publish"):
        Publisher(publisher.address)


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(PublishError, match="such as tcp://127.0.0.1:5550, found 'nowhere'"):
        Publisher("nowhere")


def test_a_closed_publisher_gives_its_address_back() -> None:
    first = Publisher("tcp://127.0.0.1:*")
    first.close()
    Publisher(first.address).close()


def test_a_newcomer_gets_what_it_missed_marked_as_replayed(
    publisher: Publisher, subscriber: zmq.Socket
) -> None:
    publisher(event(0))
    subscriber.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/event/")
    receive(subscriber)
    publisher(event(1))
    publisher(event(2))
    while receive(subscriber)[1]["seq"] < 2:
        pass
    with subscriber.context.socket(zmq.SUB) as newcomer:
        newcomer.setsockopt(zmq.RCVTIMEO, 20_000)
        newcomer.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/event/")
        newcomer.connect(publisher.address)
        events = [receive(newcomer)[1] for _ in range(3)]
        publisher(event(3))
        events.append(receive(newcomer)[1])
    assert [(e["seq"], e["time_s"], e["replayed"]) for e in events] == [
        (0, 0, True),
        (1, 1, True),
        (2, 2, True),
        (3, 3, False),
    ]


def test_a_message_that_cannot_be_encoded_is_lost_alone_and_its_seq_shows_it(
    publisher: Publisher, subscriber: zmq.Socket, caplog: pytest.LogCaptureFixture
) -> None:
    publisher(event(0))
    subscriber.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/event/")
    receive(subscriber)
    for t in (1, 2):
        publisher(event(t, label="\ud800"))
    publisher(event(3))
    while (received := receive(subscriber)[1])["replayed"]:
        pass
    assert received["seq"] == 3
    faults = [r for r in caplog.records if "the bus goes on after a fault" in r.message]
    assert len(faults) == 1


def test_a_status_that_fails_neither_stops_the_bus_nor_its_end() -> None:
    def status() -> list:
        raise RuntimeError("no status")

    publisher = Publisher("tcp://127.0.0.1:*", status)
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.setsockopt(zmq.RCVTIMEO, 20_000)
        subscriber.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/hello/")
        subscriber.connect(publisher.address)
        publisher(HELLO)
        assert receive(subscriber)[1]["labels"] == ["a"]
    publisher.close()
    assert not publisher._thread.is_alive()


def test_what_does_not_fit_into_the_queue_is_a_gap() -> None:
    blocked, go_on = threading.Event(), threading.Event()

    def status() -> list:
        blocked.set()
        go_on.wait(20)
        return []

    publisher = Publisher("tcp://127.0.0.1:*", status)
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.setsockopt(zmq.RCVTIMEO, 20_000)
        subscriber.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/hello/")
        subscriber.connect(publisher.address)
        assert blocked.wait(20)
        for _ in range(MAX_WAITING + 3):
            publisher(HELLO)
        go_on.set()
        assert receive(subscriber)[1]["seq"] >= 3
    publisher.close()


def test_a_message_after_the_end_is_ignored() -> None:
    publisher = Publisher("tcp://127.0.0.1:*")
    publisher.close()
    publisher(event(0))
    publisher.close()


def test_without_evidence_an_estimate_is_small() -> None:
    publisher = Publisher("tcp://127.0.0.1:*", settings=BusSettings(evidence=False))
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.setsockopt(zmq.RCVTIMEO, 20_000)
        subscriber.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/estimate/")
        subscriber.connect(publisher.address)
        full = msgspec.structs.replace(
            ESTIMATE,
            scores={label: 1 / (n + 2) for n, label in enumerate(LABELS)},
            bag_scores={label: 1 / (n + 3) for n, label in enumerate(LABELS)},
            evidence={label: [0.123456] * 10 for label in LABELS},
            evidence_t0=[0.5 * n for n in range(10)],
            near_misses=["piano", "voice"],
            latency_ms=12.34,
        )
        publisher(full)
        _, payload = subscriber.recv_multipart()
    publisher.close()
    assert len(payload) <= 700
    estimate = msgpack.unpackb(payload)
    assert estimate["scores"] == full.scores
    assert estimate["evidence"] == estimate["bag_scores"] == {}
    assert estimate["evidence_t0"] == []


def test_a_reader_that_no_longer_answers_is_let_go(publisher: Publisher) -> None:
    """A pulled cable says no word, and what waits for it costs memory."""
    ask = publisher._socket.getsockopt
    assert (ask(zmq.HEARTBEAT_IVL), ask(zmq.HEARTBEAT_TIMEOUT)) == (2000, 4000)


def test_a_session_may_have_a_name() -> None:
    publisher = Publisher("tcp://127.0.0.1:*", session="tonight")
    publisher.close()
    assert publisher.session == "tonight"


def test_graphs_are_wanted_while_somebody_subscribes_to_them(
    publisher: Publisher, subscriber: zmq.Socket
) -> None:
    def known(topic: bytes) -> None:
        """Waits until the publisher knows of a subscription, as its answer shows."""
        subscriber.setsockopt(zmq.SUBSCRIBE, topic)
        subscriber.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/status/")
        receive(subscriber)

    known(b"mmgat/v2/event/")
    assert not publisher.wants_graph
    known(b"mmgat/v2/graph/")
    while not publisher.wants_graph:
        receive(subscriber)
    subscriber.setsockopt(zmq.UNSUBSCRIBE, b"mmgat/v2/graph/")
    while publisher.wants_graph:
        receive(subscriber)


def test_numbers_that_are_left_out_are_messages_lost() -> None:
    publisher = Publisher("tcp://127.0.0.1:*")
    with Subscriber(publisher.address, ("mmgat/v2/event/", "mmgat/v2/hello/")) as reader:
        publisher(HELLO)
        assert reader.trouble == ""
        while not isinstance(reader.receive(20), Hello):
            pass
        publisher(event(0))
        publisher.skip("mmgat/v2/event/lab/", 3)
        publisher(event(1))
        assert [message.seq for message in (reader.receive(20), reader.receive(20)) if message] == [
            0,
            4,
        ]
        assert reader.losses.lost == 3
    publisher.close()


def test_what_is_handed_over_is_counted() -> None:
    publisher = Publisher("tcp://127.0.0.1:*")
    for t in range(3):
        publisher(event(t))
    publisher.close()
    assert publisher.published >= 3  # its own messages are counted, too
