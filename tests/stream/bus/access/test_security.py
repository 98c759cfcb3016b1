"""Who may connect: real sockets, real keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import zmq

from mmgat.stream.bus.access.keys import ClientKeys, ServerKeys, make_pair
from mmgat.stream.bus.access.security import Authenticator, is_loopback, openness
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.bus.subscriber import Subscriber
from mmgat.stream.errors import PublishError
from tests.stream.bus.messages import HELLO, event


class Keyring:
    """Keys of an engine, of a reader that it knows, and of one that it does not know."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("engine", "stranger", "other-engine"):
            make_pair(folder, name)
        make_pair(folder / "clients", "laptop")
        self.server = ServerKeys.read(folder / "engine.key_secret", folder / "clients")

    def client(self, name: str, engine: str = "engine") -> ClientKeys:
        (secret,) = self.folder.rglob(f"{name}.key_secret")
        return ClientKeys.read(secret, self.folder / f"{engine}.key")


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def secured(keyring: Keyring) -> Iterator[Publisher]:
    publisher = Publisher(["tcp://127.0.0.1:*", "ipc://*"], keys=keyring.server)
    publisher(HELLO)
    yield publisher
    publisher.close()


def test_who_is_known_reads_and_who_is_not_reads_nothing(
    secured: Publisher, keyring: Keyring
) -> None:
    address = secured.address
    refused = [
        Subscriber(address),
        Subscriber(address, keys=keyring.client("stranger")),
        Subscriber(address, keys=keyring.client("laptop", engine="other-engine")),
    ]
    with Subscriber(address, keys=keyring.client("laptop")) as known:
        message = known.receive(20)
        assert message is not None
        assert message.session == secured.session
        for t in range(50):  # by now the others would have connected, too
            secured(event(t))
        while not (isinstance(message, type(event(0))) and message.time_s == 49):
            message = known.receive(20)
            assert message is not None
    for subscriber in refused:
        assert subscriber.receive(0) is None
        subscriber.close()
    assert secured.refused >= 1
    assert secured.security == "curve"


def test_the_same_machine_needs_no_key_on_a_socket_of_its_own(secured: Publisher) -> None:
    assert secured.connect_address.startswith("ipc://")
    with Subscriber(secured.connect_address) as subscriber:
        assert subscriber.receive(20) is not None


@pytest.mark.parametrize(
    ("client", "engine", "why"),
    [
        ("stranger", "engine", "it does not know our key"),
        ("laptop", "other-engine", "is --server-key its public key"),
        ("", "", "it may need --key and --server-key"),
    ],
)
def test_a_reader_that_is_not_let_in_says_why_in_one_line(
    secured: Publisher, keyring: Keyring, client: str, engine: str, why: str
) -> None:
    told: list[str] = []
    keys = keyring.client(client, engine) if client else None
    with Subscriber(secured.address, warn=told.append, keys=keys) as subscriber:
        while not told:
            assert subscriber.receive(0.1) is None
    assert len(told) == 1
    assert told[0].startswith(f"expected {secured.address} to let us in, found it refuse: {why}")


def test_keys_that_nobody_asks_for_are_told_in_one_line(keyring: Keyring) -> None:
    publisher = Publisher("tcp://127.0.0.1:*")
    told: list[str] = []
    with Subscriber(publisher.address, warn=told.append, keys=keyring.client("laptop")) as reader:
        while not told:
            assert reader.receive(0.1) is None
    publisher.close()
    assert "has it keys at all? If not, leave ours out" in told[0]


def test_a_key_that_is_put_into_the_folder_later_lets_its_reader_in(
    keyring: Keyring, secured: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmgat.stream.bus.link.RETRY_S", 0.05)
    make_pair(keyring.folder, "late")
    told: list[str] = []
    keys = keyring.client("late")
    with Subscriber(secured.address, warn=told.append, keys=keys) as subscriber:
        while not told:
            assert subscriber.receive(0.1) is None
        (keyring.folder / "late.key").rename(keyring.folder / "clients" / "late.key")
        assert subscriber.receive(20) is not None


@pytest.mark.parametrize(
    "address", ["tcp://0.0.0.0:*", "tcp://*:*", "tcp://[::]:*", "tcp://10.0.0.1:*"]
)
def test_other_machines_are_not_let_in_without_keys(address: str) -> None:
    with pytest.raises(PublishError, match=r"expected keys for .*mmgat-keys.*--insecure"):
        Publisher(address)


def test_insecure_is_said_and_works() -> None:
    publisher = Publisher("tcp://0.0.0.0:*", insecure=True)
    publisher(HELLO)
    with Subscriber(publisher.connect_address) as subscriber:
        assert subscriber.receive(20) is not None
    assert publisher.security == "none"
    publisher.close()


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("tcp://127.0.0.1:5550", True),
        ("tcp://127.1.2.3:5550", True),
        ("tcp://[::1]:5550", True),
        ("tcp://localhost:5550", True),
        ("tcp://0.0.0.0:5550", False),
        ("tcp://[::]:5550", False),
        ("tcp://*:5550", False),
        ("tcp://eth0:5550", False),
        ("tcp://127.0.0.1.example.org:5550", False),
    ],
)
def test_loopback(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback


@pytest.mark.parametrize(
    ("address", "has_keys", "insecure", "who"),
    [
        ("ipc:///run/bus", False, False, "local"),
        ("ipc:///run/bus", True, True, "local"),
        ("tcp://127.0.0.1:5550", False, False, "local"),
        ("tcp://127.0.0.1:5550", True, False, "curve"),
        ("tcp://10.0.0.1:5550", True, True, "curve"),
        ("tcp://10.0.0.1:5550", False, True, "none"),
    ],
)
def test_who_may_connect_to_an_address(
    keyring: Keyring, address: str, has_keys: bool, insecure: bool, who: str
) -> None:
    assert openness(address, keyring.server if has_keys else None, insecure) == who


def test_readers_with_unknown_keys_are_counted_and_a_folder_that_fails_lets_nobody_in() -> None:
    def name_of(key: bytes) -> str | None:
        if key == b"fault":
            raise OSError("the folder is gone")
        return "laptop" if key == b"known" else None

    with zmq.Context() as context:
        authenticator = Authenticator(context, SimpleNamespace(name_of=name_of))  # type: ignore[arg-type]
        answers = [authenticator.callback("mmgat", key) for key in (b"known", b"other", b"fault")]
        authenticator.close()
    assert answers == [True, False, False]
    assert authenticator.refused == 2
