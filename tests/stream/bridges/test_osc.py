"""The OSC bridge: what it sends, and that a server of python-osc in another process gets it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from pythonosc.osc_bundle import OscBundle

from mmgat.stream.bridges.base import SourceLost
from mmgat.stream.bridges.osc import MAX_BUNDLE_BYTES, OscBridge, OscSettings, osc_messages
from mmgat.stream.bus.access.keys import ServerKeys
from mmgat.stream.bus.publisher import Publisher
from tests.stream.bridges.running import Process, bridge, free_port, publishing
from tests.stream.bus.messages import ESTIMATE, STATUS, event

SERVER = """
import json, sys
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer
dispatcher = Dispatcher()
dispatcher.set_default_handler(lambda *message: print(json.dumps(message), flush=True))
with BlockingOSCUDPServer(("127.0.0.1", 0), dispatcher) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
"""


def test_an_estimate_is_a_score_a_label_and_the_level() -> None:
    assert osc_messages(ESTIMATE) == [("/mmgat/lab/a/score", [0.75]), ("/mmgat/lab/level", [-20.0])]
    assert osc_messages(ESTIMATE, scores=False) == []


def test_an_instrument_begins() -> None:
    assert osc_messages(event(2.0)) == [
        ("/mmgat/lab/a/active", [1.0]), ("/mmgat/lab/a/on", [0.9, "a-1"]),
    ]  # fmt: skip


def test_an_instrument_ends_and_says_how_long_it_sounded() -> None:
    ended = event(5.0, event="off", onset_s=2.0)
    assert osc_messages(ended, prefix="") == [
        ("/lab/a/active", [0.0]), ("/lab/a/off", [3.0, "a-1"]),
    ]  # fmt: skip


def test_a_source_runs_ends_or_is_lost() -> None:
    ended = msgspec.structs.replace(STATUS, state="ended")
    assert osc_messages(STATUS) == [("/mmgat/lab/running", [1.0])]
    assert osc_messages(ended) == [("/mmgat/lab/running", [0.0])]
    assert osc_messages(SourceLost(source="lab")) == [("/mmgat/lab/running", [0.0])]


def test_names_have_no_sign_that_osc_reserves() -> None:
    odd = event(source="Scarlett 2i2 #1/é", label="mallet percussion")
    assert osc_messages(odd)[0][0] == "/mmgat/Scarlett_2i2__1_e/mallet_percussion/active"


def received(settings: dict[str, object], *signals: object) -> list[bytes]:
    """The datagrams that a bridge sends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        port = receiver.getsockname()[1]
        sender = OscBridge(OscSettings(port=port, **settings))  # type: ignore[arg-type]
        sender.open()
        for signal in signals:
            sender.send(signal)  # type: ignore[arg-type]
        sender.close()
        found = []
        while True:
            try:
                found.append(receiver.recv(65_535))
            except BlockingIOError:
                return found


def test_the_time_tag_is_the_time_of_publishing_and_the_delay() -> None:
    (datagram,) = received({"delay_ms": 250.0}, event(time=1_800_000_000.0))
    assert OscBundle(datagram).timestamp == pytest.approx(1_800_000_000.25, abs=1e-6)
    assert OscBundle(datagram).num_contents == 2


def test_a_bundle_fits_into_a_datagram() -> None:
    many = msgspec.structs.replace(
        ESTIMATE, scores={f"a label of many words {i}": 0.5 for i in range(60)}
    )
    bundles = received({}, many)
    assert max(map(len, bundles)) <= MAX_BUNDLE_BYTES
    assert sum(OscBundle(bundle).num_contents for bundle in bundles) == 61


def test_without_bundles_each_message_is_alone() -> None:
    first, second = received({"no_bundles": True}, event())
    assert first.startswith(b"/mmgat/lab/a/active\0")
    assert second.startswith(b"/mmgat/lab/a/on\0")


def test_what_a_host_refuses_is_counted() -> None:
    sender = OscBridge(OscSettings(port=free_port(socket.SOCK_DGRAM)))
    sender.open()
    while not sender.not_delivered:  # the refusal comes with a later datagram
        sender.send(STATUS)
    sender.close()


@pytest.fixture
def server() -> Iterator[Process]:
    with Process(sys.executable, "-c", SERVER) as process:
        yield process


def test_a_server_of_python_osc_is_told_of_an_instrument(server: Process) -> None:
    port = server.out.until(str.isdigit)
    with publishing("lab") as publisher:
        publisher(event(1.0))
        with bridge("osc", publisher.address, MMGAT_BRIDGE_OSC_PORT=port) as process:
            assert json.loads(server.out.until("/on")) == [
                "/mmgat/lab/a/on", pytest.approx(0.9), "a-1",
            ]  # fmt: skip
            publisher(ESTIMATE)
            server.out.until("/mmgat/lab/a/score")
            assert process.terminate() == 0
            server.out.until("/mmgat/lab/a/off")
            assert "0 not delivered" in process.err.until("messages delivered")


def test_a_bridge_reaches_an_engine_that_wants_keys(server: Process, tmp_path: Path) -> None:
    port = server.out.until(str.isdigit)
    make = (sys.executable, "-m", "mmgat.stream.commands.keys", "--folder", tmp_path)
    subprocess.run([*make, "engine", "bridge"], check=True, capture_output=True)
    (tmp_path / "clients").mkdir()
    shutil.copy(tmp_path / "bridge.key", tmp_path / "clients")
    keys = ServerKeys.read(tmp_path / "engine.key_secret", tmp_path / "clients")
    publisher = Publisher("tcp://127.0.0.1:*", keys=keys)
    publisher(event())
    own = ("--key", tmp_path / "bridge.key_secret", "--server-key", tmp_path / "engine.key")
    try:
        with bridge("osc", publisher.address, "--port", port, *own):
            server.out.until("/mmgat/lab/a/on")
    finally:
        publisher.close()
