"""Three engines, a proxy with keys on both sides, one reader: real sockets, the real command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from mmgat.stream.bus.access.keys import ClientKeys, ServerKeys, make_pair, read_pair
from mmgat.stream.bus.protocol import GRAPH_TOPICS, Event, Graph, Hello, Lifecycle, Status
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.bus.subscriber import Subscriber
from mmgat.stream.commands.proxy import upstreams_of
from mmgat.stream.errors import SettingsError
from mmgat.stream.proxy.relay import Relay, Upstream
from tests.stream.bus.messages import GRAPH, HELLO, STATUS, event

NAMES = ("hall", "studio", "van")


class House:
    """Three engines with keys, the command that brings them together, and a reader's keys."""

    def __init__(self, folder: Path) -> None:
        for name in (*NAMES, "proxy", "desk"):
            make_pair(folder / "own", name)
        for at, who in (("engines-let-in", "proxy"), ("proxy-lets-in", "desk")):
            (folder / at).mkdir()
            (folder / at / f"{who}.key").write_bytes((folder / "own" / f"{who}.key").read_bytes())
        self.engines = {
            name: Publisher(
                "tcp://127.0.0.1:*",
                lambda: [STATUS],
                keys=ServerKeys.read(
                    folder / "own" / f"{name}.key_secret", folder / "engines-let-in"
                ),
            )
            for name in NAMES
        }
        connects = [f"{name}={engine.address}" for name, engine in self.engines.items()]
        command = [sys.executable, "-m", "mmgat.stream.commands.proxy"]
        for name, connect in zip(NAMES, connects, strict=True):
            command += ["--connect", connect, "--server-key", str(folder / "own" / f"{name}.key")]
        command += ["--key", str(folder / "own" / "proxy.key_secret")]
        command += ["--clients", str(folder / "proxy-lets-in"), "--publish", "tcp://127.0.0.1:*"]
        self.proxy = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.proxy.stderr is not None
        line = self.proxy.stderr.readline()
        assert line.startswith("mmgat-proxy: hall, studio, van: publishing on tcp://127.0.0.1:")
        self.address = line.split()[-1]
        own = folder / "own" / "desk.key_secret"
        self.keys = ClientKeys.read(own, folder / "own" / "proxy.key")

    def close(self) -> None:
        for engine in self.engines.values():
            engine.close()
        self.proxy.terminate()
        assert self.proxy.wait(20) == 0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("house"))
    yield house
    house.close()


def test_three_engines_are_one_for_a_reader_that_comes_late(house: House) -> None:
    for engine in house.engines.values():
        engine(HELLO)
        engine(event(1.0))
    with Subscriber(house.address, keys=house.keys) as reader:
        hello, on, heartbeats = None, set(), set()
        while (
            hello is None or len(hello.sources) < 3 or len(on) < 3 or len(heartbeats) < 3
        ) and not isinstance(message := reader.receive(20), type(None)):
            if isinstance(message, Hello):
                hello = message
            elif isinstance(message, Event):
                on.add(message.source)
            elif isinstance(message, Status):
                heartbeats.add(message.source)
            assert not isinstance(message, Lifecycle) or message.address == house.address
        assert hello is not None
        sources = {source.name: source.session for source in hello.sources}
        assert sources == {f"{name}: lab": engine.session for name, engine in house.engines.items()}
        assert on == heartbeats == set(sources)
        assert hello.security == "curve"
        assert reader.restarts == 0


def test_graphs_are_asked_for_through_the_proxy(house: House) -> None:
    engine = house.engines["van"]
    with Subscriber(house.address, (GRAPH_TOPICS,), keys=house.keys) as reader:
        while not engine.wants_graph:
            reader.receive(0.05)
        while True:
            engine(GRAPH)
            message = reader.receive(0.1)
            if isinstance(message, Graph):
                break
        assert message.source == "van: lab"


def test_an_engine_of_another_version_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmgat.stream.bus.subscription.PROBE_S", 0.0)
    told = list[str]()
    with zmq.Context() as context, context.socket(zmq.XPUB) as engine:
        port = engine.bind_to_random_port("tcp://127.0.0.1")
        address = f"tcp://127.0.0.1:{port}"
        relay = Relay([Upstream("attic", address)], "tcp://127.0.0.1:*", say=told.append)
        relay.start()
        topics = [b""]
        while b"mmgat/v" not in topics:  # it asks whether there is another version
            topics.append(engine.recv()[1:])
        while not told or "expected" not in told[-1]:
            engine.send_multipart([b"mmgat/v3/hello/", b"\x80"])
            engine.poll(20)
        while engine.recv() != b"\x00mmgat/v":  # it asks no more
            pass
        relay.close()
    assert [line for line in told if "expected" in line] == [
        f"attic: expected mmgat/v2 from {address}, found mmgat/v3: update the older one of the two "
        "programs"
    ]


def test_an_engine_that_goes_ends_what_was_on_and_the_others_go_on(house: House) -> None:
    house.engines["hall"](event(2.0, id="a-2"))
    with Subscriber(house.address, keys=house.keys) as reader:
        while not (isinstance(m := reader.receive(20), Event) and m.id == "a-2"):
            assert m is not None
        house.engines["hall"].close()
        while not (isinstance(m, Event) and (m.id, m.event) == ("a-2", "off")):
            m = reader.receive(20)
            assert m is not None
        ended = "hall: the engine has ended"  # a busy machine may say before that it is silent
        while not (isinstance(m, Status) and (m.state, m.message) == ("failed", ended)):
            m = reader.receive(20)
            assert m is not None
        house.engines["van"](event(3.0, id="a-3"))
        while not (isinstance(m, Event) and m.id == "a-3"):
            m = reader.receive(20)
            assert m is not None
        assert m.source == "van: lab"


def test_names_come_from_addresses_if_none_are_given(tmp_path: Path) -> None:
    named = upstreams_of(
        ("tcp://hall:5550", "van=tcp://10.0.0.1:5550", "tcp://[::1]:1", "tcp://a:1", "tcp://a:2"),
        None,
        (),
    )
    assert [one.name for one in named] == ["hall", "van", "[::1]", "a:1", "a:2"]
    with pytest.raises(SettingsError, match="different names, found 'a' twice"):
        upstreams_of(("a=tcp://b:1", "a=tcp://c:1"), None, ())
    make_pair(tmp_path, "own")
    pair = read_pair(tmp_path / "own.key_secret")
    with pytest.raises(SettingsError, match="one for each of 3 engines, found 2"):
        upstreams_of(("a", "b", "c"), pair, (tmp_path / "own.key",) * 2)
    with pytest.raises(SettingsError, match="expected --key with --server-key"):
        upstreams_of(("tcp://a:1",), None, (tmp_path / "own.key",))
