"""The endpoint on real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest
import zmq

from mmgat.stream.bus.access.keys import ClientKeys, ServerKeys, make_pair
from mmgat.stream.commands.process.logging import MAX_LINES, RateLimit
from mmgat.stream.control.answers import Counters, Result, SourceState
from mmgat.stream.control.client import AsyncControlClient, ControlClient
from mmgat.stream.control.requests import (
    Describe,
    Mute,
    Pause,
    Request,
    Statistics,
)
from mmgat.stream.control.server import BURST, ControlServer
from mmgat.stream.errors import ProtocolError, PublishError, SettingsError
from tools.fuzz_bus.peer import HostilePeer, frame

ANY = "tcp://127.0.0.1:*"
AUDIT = "mmgat.stream.control.audit"


def answer(request: Request) -> Result:
    match request:
        case Pause(source="fault"):
            raise RuntimeError("\x1b[2J")
        case Pause(source=source):
            return SourceState(source=source, paused=True)
        case Statistics():
            return Counters(statuses=[], readers=0, refused=0, published=0, requests=0, faults=0)
    raise SettingsError("expected a pause, found another request")


@pytest.fixture
def server() -> Iterator[ControlServer]:
    server = ControlServer(ANY, answer)
    yield server
    server.close()


@pytest.fixture
def raw(server: ControlServer) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.REQ) as sock:
        sock.setsockopt(zmq.RCVTIMEO, 20_000)
        sock.setsockopt(zmq.LINGER, 0)
        sock.connect(server.address)
        yield sock


def test_a_request_has_its_answer(server: ControlServer) -> None:
    with ControlClient(server.address) as control:
        assert control(Pause("mic")) == {"source": "mic", "paused": True, "device": ""}
        with pytest.raises(ProtocolError, match="^expected a pause, found another request$"):
            control(Describe())
        assert control(Pause("line")) == {"source": "line", "paused": True, "device": ""}
    assert (server.requests, server.faults) == (2, 1)


async def test_so_it_has_for_asyncio(server: ControlServer) -> None:
    async with AsyncControlClient(server.address) as control:
        assert await asyncio.wait_for(control(Pause("mic")), 20) == {
            "source": "mic",
            "paused": True,
            "device": "",
        }


def test_a_client_without_this_package_speaks_msgpack_or_json(raw: zmq.Socket[bytes]) -> None:
    raw.send(msgpack.packb({"request": "pause", "source": "mic"}))
    assert msgpack.unpackb(raw.recv()) == {
        "ok": True,
        "result": {"source": "mic", "paused": True, "device": ""},
    }
    raw.send(b' {"request": "pause", "source": "mic"}')
    assert json.loads(raw.recv())["result"] == {"source": "mic", "paused": True, "device": ""}
    raw.send(b'{"request": "dance"}')
    refusal = json.loads(raw.recv())
    assert refusal["ok"] is False
    assert "expected a request of describe" in refusal["error"]


def test_a_dealer_with_or_without_an_empty_frame_is_answered(server: ControlServer) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.setsockopt(zmq.RCVTIMEO, 20_000)
        dealer.connect(server.address)
        for before in ([], [b""], [b"17", b""]):
            dealer.send_multipart([*before, b'{"request":"pause","source":"mic"}'])
            *envelope, payload = dealer.recv_multipart()
            assert envelope == before
            assert json.loads(payload)["ok"]


def test_a_fault_of_ours_is_an_answer_and_the_endpoint_goes_on(
    server: ControlServer, caplog: pytest.LogCaptureFixture
) -> None:
    with ControlClient(server.address) as control:
        with pytest.raises(ProtocolError, match="found a fault: RuntimeError"):
            control(Pause("fault"))
        assert control(Pause("mic"))
    assert "RuntimeError" in caplog.text


def test_each_request_is_a_line_in_the_log(
    server: ControlServer, caplog: pytest.LogCaptureFixture
) -> None:
    with ControlClient(server.address) as control:
        control(Pause("mic\x1b[2J"))
        with pytest.raises(ProtocolError):
            control(Mute(["drums"]))
        with pytest.raises(ProtocolError):
            control(Describe())
        control(Statistics())
    lines = [r for r in caplog.records if r.name == AUDIT]
    assert [line.levelname for line in lines] == ["INFO", "WARNING", "WARNING", "INFO"]
    assert lines[0].getMessage().startswith('control: 127.0.0.1: pause {"source":"mic')
    assert "\x1b" not in lines[0].getMessage()
    assert 'refused 127.0.0.1: mute {"labels":["drums"]}: expected a pause' in lines[1].getMessage()
    assert lines[3].getMessage() == "control: 127.0.0.1: statistics"


def test_questions_that_come_often_hide_no_change(
    server: ControlServer, caplog: pytest.LogCaptureFixture
) -> None:
    with ControlClient(server.address) as control:
        for _ in range(MAX_LINES + 2):
            control(Statistics())
            control(Pause("mic"))
    limit = RateLimit(clock=lambda: 0.0)
    passed = [r.getMessage() for r in caplog.records if r.name == AUDIT and limit.filter(r)]
    assert sum("statistics" in line for line in passed) == MAX_LINES
    assert sum("pause" in line for line in passed) == MAX_LINES + 2


def test_changes_are_limited_and_questions_are_not() -> None:
    now = 0.0
    server = ControlServer(ANY, answer, clock=lambda: now)
    with ControlClient(server.address, timeout_s=20) as control:
        for _ in range(BURST):
            control(Pause("mic"))
        with pytest.raises(ProtocolError, match="expected at most 20 changes a second"):
            control(Pause("mic"))
        with pytest.raises(ProtocolError, match="^expected a pause, found another request$"):
            control(Describe())
        now = 0.06
        assert control(Pause("mic"))
        with pytest.raises(ProtocolError, match="expected at most 20 changes a second"):
            control(Pause("mic"))
    server.close()


def test_hostile_peers_end_neither_the_endpoint_nor_an_honest_client(server: ControlServer) -> None:
    with HostilePeer(server.address, kind=b"DEALER", answer=b"ROUTER") as peer:
        peer.send(*[frame(b"\xff" * 900)] * 300)
        peer.send(*[frame(b"x", 1)] * 50, frame(b"{" * 200))
        peer.send(frame(b"x" * 100_000))
        peer.wait_for_end()
    with ControlClient(server.address, timeout_s=20) as control:
        assert control(Pause("mic"))


def test_an_endpoint_with_keys_names_who_asks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("engine", "stranger"):
        make_pair(tmp_path, name)
    _, secret = make_pair(tmp_path / "clients", "desk")
    keys = ServerKeys.read(tmp_path / "engine.key_secret", tmp_path / "clients")
    known, unknown = (
        ClientKeys.read(own, tmp_path / "engine.key")
        for own in (secret, tmp_path / "stranger.key_secret")
    )
    server = ControlServer(ANY, answer, keys)
    try:
        with ControlClient(server.address, known, timeout_s=20) as control:
            assert control(Pause("mic"))
        with (
            ControlClient(server.address, unknown, timeout_s=0.3) as control,
            pytest.raises(PublishError, match="found none: .* are the keys right"),
        ):
            control(Pause("mic"))
    finally:
        server.close()
    assert "control: desk at 127.0.0.1: pause" in caplog.text


def test_no_answer_is_an_error_and_the_client_goes_on(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/control"
    with ControlClient(address, timeout_s=0.05) as control:
        with pytest.raises(PublishError, match="expected an answer from .* within 0.05 s"):
            control(Pause("mic"))
        server = ControlServer(address, answer)
        control._timeout_s = 20
        assert control(Pause("mic"))
        server.close()


def test_other_machines_need_keys_and_a_taken_address_names_the_flag(server: ControlServer) -> None:
    with pytest.raises(PublishError, match="expected keys for"):
        ControlServer("tcp://0.0.0.0:*", answer)
    with pytest.raises(PublishError, match="in use.*--control"):
        ControlServer(server.address, answer)
