"""Real sockets; the subscriber is plain pyzmq and msgpack, and knows nothing of this package."""

from collections.abc import Iterator

import msgpack
import pytest
import zmq

from mmgat.stream.bus.protocol import (
    Event,
    Hello,
    ModelInfo,
    Status,
    from_frames,
    to_frames,
    to_json,
)
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.errors import ProtocolError, PublishError

HELLO = Hello(
    version="1",
    model=ModelInfo(
        name="lab", version="0", embedder="compact", variant="c", thresholds={"a": 0.5}
    ),
    labels=["a"],
    sources=[],
    hop_s=0.5,
    nodes=10,
)
STATUS = Status(
    source="lab", state="running", sample_rate_hz=1, captured=3, analysed=2, dropped=1, discarded=0,
    queued=0, windows=0, xruns=0, nonfinite=0, clipped=0, lag_ms=0, real_time_factor=0,
    level_dbfs=-200, uptime_s=0,
)  # fmt: skip


def event(t: float) -> Event:
    return Event(source="lab", event="on", id="a-1", label="a", time_s=t, onset_s=t, score=0.9)


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
    first, second = receive(subscriber)[1], receive(subscriber)[1]
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


@pytest.mark.parametrize("message", [HELLO, STATUS, event(1.5)])
def test_messages_survive_the_wire(message: Hello | Status | Event) -> None:
    assert from_frames(to_frames(message)) == message


@pytest.mark.parametrize(
    ("frames", "fault"),
    [
        ([b"mmgat/v2/event/lab/"], "expected 2 frames"),
        ([b"other/v1/x/", b""], "expected a topic under 'mmgat/v2/'"),
        ([b"mmgat/v2/nosuch/", b""], "expected a topic under"),
        ([b"mmgat/v2/event/lab/", b"\xc1"], "damaged message"),
        ([b"mmgat/v2/event/lab/", msgpack.packb({"source": "lab"})], "damaged message"),
    ],
)
def test_foreign_frames_are_refused(frames: list[bytes], fault: str) -> None:
    with pytest.raises(ProtocolError, match=fault):
        from_frames(frames)


def test_fields_added_later_are_ignored() -> None:
    topic, payload = to_frames(event(1.0))
    newer = msgpack.packb(msgpack.unpackb(payload) | {"colour": "blue"})
    assert from_frames([topic, newer]) == event(1.0)


def test_json_has_the_type_first_and_no_empty_session() -> None:
    assert to_json(event(1.0)).startswith('{"type":"event","source":"lab","event":"on"')
    assert "session" not in to_json(event(1.0))
