"""The WebSocket bridge: who may connect, and what clients of the websockets library get."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from mmgat.stream.bridges.base import SourceLost
from mmgat.stream.bridges.ws import (
    WebSocketBridge,
    WebSocketSettings,
    _Client,
    is_own_origin,
    text_of,
    wanted_kinds,
)
from mmgat.stream.bus.protocol import to_json
from tests.stream.bridges.running import bridge, free_port, publishing
from tests.stream.bus.messages import ESTIMATE, HELLO, STATUS, event


def test_texts_are_the_lines_of_mmgat_listen() -> None:
    assert text_of(event(session="a")) == ("event", to_json(event(session="a")))
    assert text_of(SourceLost(source="lab")) == ("lost", '{"type":"lost","source":"lab"}')


def test_the_path_says_which_kinds_are_wanted() -> None:
    assert wanted_kinds("/") is None
    assert wanted_kinds("/?kinds=event,hello") == {"event", "hello"}


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("http://127.0.0.1:8765", "127.0.0.1:8765", True),
        ("http://localhost:8765", "localhost:8765", True),
        ("http://[::1]:8765", "[::1]:8765", True),
        ("http://evil.example", "127.0.0.1:8765", False),
        ("http://rebound.example:8765", "rebound.example:8765", False),
        ("null", "127.0.0.1:8765", False),
    ],
)
def test_a_page_of_our_own_may_connect_and_others_not(origin: str, host: str, own: bool) -> None:
    assert is_own_origin(origin, host) is own


def test_a_client_that_takes_nothing_has_a_bounded_queue() -> None:
    client = _Client(frozenset({"event"}))
    assert all(client.offer("status", "x") for _ in range(10_000))
    assert sum(client.offer("event", "x") for _ in range(10_000)) == client.waiting.maxsize


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of a bridge whose engine has had an event and goes on."""
    page = tmp_path_factory.mktemp("page") / "page.html"
    page.write_text("<p>a page")
    port = free_port()
    with publishing("lab") as publisher:
        publisher(event())
        with bridge("ws", publisher.address, "--port", port, "--page", page) as process:
            process.err.until("from tcp")
            with connect_when_there(f"127.0.0.1:{port}") as client:
                while json.loads(client.recv(60))["type"] != "event":
                    pass
            yield f"127.0.0.1:{port}"
            assert process.terminate() == 0


def connect_when_there(address: str):  # type: ignore[no-untyped-def]
    while True:
        try:
            return connect(f"ws://{address}/", compression=None)
        except ConnectionRefusedError:
            continue


def test_a_client_that_comes_late_gets_what_was(served: str) -> None:
    with connect(f"ws://{served}/") as client:
        kinds = [json.loads(client.recv(60))["type"] for _ in range(5)]
    assert kinds == ["lifecycle", "hello", "estimate", "status", "event"]


def test_a_client_gets_the_kinds_it_asks_for(served: str) -> None:
    with connect(f"ws://{served}/?kinds=status") as client:
        first, second = (json.loads(client.recv(60)) for _ in range(2))
    assert first["type"] == second["type"] == "status"
    assert second["seq"] > first["seq"]


@pytest.fixture
def own() -> Iterator[WebSocketBridge]:
    bridge = WebSocketBridge(WebSocketSettings(port=free_port()))
    bridge.open()
    yield bridge
    bridge.close()


def newcomer(own: WebSocketBridge, n_messages: int) -> list[tuple[str, str]]:
    """Type and session, or lost source, of what a client gets that connects now."""
    with connect(f"ws://127.0.0.1:{own.settings.port}/") as client:
        messages = [json.loads(client.recv(60)) for _ in range(n_messages)]
    return [(m["type"], m.get("session") or m["source"]) for m in messages]


def test_a_newcomer_gets_nothing_of_an_engine_that_was_killed_and_started_anew(
    own: WebSocketBridge,
) -> None:
    for signal in (HELLO, ESTIMATE, STATUS, event()):
        own.send(msgspec.structs.replace(signal, session="killed"))
    for signal in (HELLO, msgspec.structs.replace(STATUS, source="other")):
        own.send(msgspec.structs.replace(signal, session="new"))
    assert newcomer(own, 2) == [("hello", "new"), ("status", "new")]


def test_a_newcomer_is_told_last_which_sources_are_lost(own: WebSocketBridge) -> None:
    for signal in (event(session="a"), SourceLost(source="lab"), SourceLost(source="desk")):
        own.send(signal)
    own.send(msgspec.structs.replace(STATUS, session="a", source="desk"))
    assert newcomer(own, 3) == [("status", "a"), ("event", "a"), ("lost", "lab")]


def test_a_page_from_elsewhere_is_refused(served: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://{served}/", origin="http://evil.example")  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403
    with connect(f"ws://{served}/", origin=f"http://{served}"):  # type: ignore[arg-type]
        pass


def test_the_page_is_served(served: str) -> None:
    with urllib.request.urlopen(f"http://{served}/") as response:
        assert response.read() == b"<p>a page"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://{served}/other")


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, publishing("lab") as publisher:
        port = taken.getsockname()[1]
        with bridge("ws", publisher.address, "--port", port) as process:
            line = process.err.until("to be free")
            assert f"expected 127.0.0.1 port {port} to be free, found" in line
            assert process.terminate() == 0
            assert "not delivered" in process.err.until("messages delivered")
