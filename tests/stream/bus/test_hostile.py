"""Properties of the bus for whatever a peer may say; ``tools.fuzz_bus`` sends millions."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from itertools import count
from typing import Any

import msgspec
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgat.stream.bus.protocol import Event, from_frames, to_frames, to_json
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.bus.subscriber import Subscriber
from mmgat.stream.control.requests import Request, decode_request
from mmgat.stream.dashboard.state.dashboard import DashboardState, advance
from mmgat.stream.errors import ProtocolError
from tests.stream.bus.messages import event
from tests.stream.bus.test_golden import MESSAGES
from tools.fuzz_bus.attacks import Bridges
from tools.fuzz_bus.peer import HostilePeer, frame

PATIENCE_S = 20.0
MARKERS = count()

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=40)
    | st.binary(max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=5,
)


@st.composite
def frames(draw: st.DrawFn) -> list[bytes]:
    """A valid message with changed fields and damaged bytes, or with none of both."""
    topic, payload = to_frames(draw(st.sampled_from(list(MESSAGES.values()))))
    fields: dict[str, Any] = msgspec.msgpack.decode(payload)
    changed = st.dictionaries(st.sampled_from([*fields]) | st.text(max_size=8), values, max_size=3)
    fields |= draw(changed)
    payload = msgspec.msgpack.encode(fields)
    at = draw(st.integers(0, len(payload)))
    damage = draw(st.just(b"") | st.binary(max_size=6))
    payload = payload[:at] + damage + payload[at + len(damage) :]
    topic = draw(st.just(topic) | st.binary(max_size=30).map(lambda end: b"mmgat/v2/" + end))
    return draw(st.sampled_from([[topic, payload], [topic], [topic, payload, payload]]))


@settings(deadline=None, max_examples=100)
@given(frames())
def test_what_is_read_of_any_frames_is_shown_without_control_characters(found: list[bytes]) -> None:
    with contextlib.suppress(ProtocolError):
        message = from_frames(found)
        assert message is None or to_json(message).isprintable()


@settings(deadline=None, max_examples=30)
@given(st.lists(frames(), max_size=3))
def test_whatever_is_read_dashboard_and_bridges_take(found: list[list[bytes]]) -> None:
    state, bridges = DashboardState(address=""), Bridges()
    for one in found:
        with contextlib.suppress(ProtocolError):
            message = from_frames(one)
            if message is not None:
                state = advance(state, message, 1.0)
                bridges.take(message)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60) | values.map(msgspec.msgpack.encode) | st.text().map(str.encode))
def test_any_bytes_are_a_request_or_a_protocol_error(content: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert isinstance(decode_request(content), Request)


@pytest.fixture(scope="module")
def attacked() -> Iterator[tuple[zmq.Socket[bytes], Subscriber]]:
    """A hostile publisher, and the reader that is connected to it."""
    with zmq.Context() as context, context.socket(zmq.XPUB) as publisher:
        publisher.setsockopt(zmq.LINGER, 0)
        port = publisher.bind_to_random_port("tcp://127.0.0.1")
        with Subscriber(f"tcp://127.0.0.1:{port}") as reader:
            publisher.recv()
            yield publisher, reader


@settings(deadline=None, max_examples=30)
@given(found=st.lists(frames(), max_size=4))
def test_a_reader_survives_any_publisher(
    attacked: tuple[zmq.Socket[bytes], Subscriber], found: list[list[bytes]]
) -> None:
    publisher, reader = attacked
    marker = f"marker {next(MARKERS)}"
    for one in [*found, to_frames(event(session=marker, source=marker))]:
        publisher.send_multipart(one)
    while (message := reader.receive(PATIENCE_S)) is not None:
        if message.session == marker:
            return
    raise AssertionError("expected the marker, found nothing any more")


@pytest.fixture(scope="module")
def engine() -> Iterator[tuple[Publisher, Subscriber]]:
    """A publisher, and an honest reader of it."""
    publisher = Publisher("tcp://127.0.0.1:*")
    publisher(MESSAGES["hello"])
    with Subscriber(publisher.address, ("mmgat/v2/event/", "mmgat/v2/hello/")) as honest:
        assert honest.receive(PATIENCE_S) is not None
        yield publisher, honest
    publisher.close()


@pytest.mark.skipif(sys.platform != "linux", reason="hostile peers are counted by /proc")
@settings(deadline=None, max_examples=25)
@given(
    sent=st.lists(
        st.binary(max_size=300)
        | st.builds(frame, st.binary(max_size=2000), st.integers(0, 255))
        | st.builds(lambda topic: frame(b"\x01" + topic), st.binary(max_size=400)),
        max_size=30,
    )
)
def test_an_engine_and_its_readers_survive_any_peer(
    engine: tuple[Publisher, Subscriber], sent: list[bytes]
) -> None:
    publisher, honest = engine
    marker = f"marker {next(MARKERS)}"
    with (
        contextlib.suppress(OSError),  # the publisher has ended the connection
        HostilePeer(publisher.address, timeout_s=5.0) as peer,
    ):
        peer.send(*sent)
    publisher(event(id=marker))
    while not (isinstance(message := honest.receive(PATIENCE_S), Event) and message.id == marker):
        assert message is not None
    assert honest.losses.lost == 0
    assert publisher.alive
