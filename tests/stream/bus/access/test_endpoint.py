"""Addresses: what is one, and what of the file system an engine leaves alone."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from mmgat.stream.bus.access import endpoint
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.bus.subscriber import Subscriber
from mmgat.stream.errors import PublishError
from tests.stream.bus.messages import HELLO


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.fixture
def sock() -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.XPUB) as sock:
        yield sock


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("", "neither tcp:// nor ipc://"),
        ("nowhere", "neither tcp:// nor ipc://"),
        ("studio:5550", "neither tcp:// nor ipc://"),
        ("http://studio:5550", "neither tcp:// nor ipc://"),
        ("inproc://x", "neither tcp:// nor ipc://"),
        ("tcp://studio", "no port"),
        ("tcp://:5550", "'' is no host"),
        ("tcp://studio:", "port '' is not from 1 to 65535"),
        ("tcp://127.0.0.1:99999", "port '99999' is not from 1 to 65535"),
        ("tcp://127.0.0.1:65536", "port '65536' is not"),
        ("tcp://127.0.0.1:0", "port '0' is not"),
        ("tcp://127.0.0.1:-1", "port '-1' is not"),
        ("tcp://127.0.0.1:80x", "port '80x' is not"),
        ("tcp://127.0.0.1:٨٠", "port '٨٠' is not"),
        ("tcp://127.0.0.1: 80", "a space or a control character"),
        ("tcp://127.0.0.1:80\n", "a space or a control character"),
        ("tcp://::1:5550", r"IPv6 is written in brackets, tcp://\[::1\]:5550"),
        ("tcp://[::g]:5550", r"\[::g\] is no IPv6 address"),
        ("tcp://[127.0.0.1]:5550", "is no IPv6 address"),
        ("tcp://eth0;studio:5550", r"'eth0;studio' is no host\)"),
        ("ipc://", "no path"),
        ("ipc:///tmp/" + "x" * 120, "a path of more than 107 bytes"),
    ],
)
def test_one_check_for_publisher_and_subscriber(
    sock: zmq.Socket[bytes], address: str, fault: str
) -> None:
    for use in (endpoint.bind, endpoint.connect):
        with pytest.raises(
            PublishError, match=rf"(?s)such as tcp://127.0.0.1:5550, found .*{fault}"
        ):
            use(sock, address)


@pytest.mark.parametrize("address", ["tcp://*:5550", "tcp://127.0.0.1:*", "ipc://*"])
def test_a_star_is_only_to_bind(sock: zmq.Socket[bytes], address: str) -> None:
    with pytest.raises(PublishError, match="expected an address such as"):
        endpoint.connect(sock, address)


def test_the_bound_address_has_the_port(sock: zmq.Socket[bytes]) -> None:
    bound = endpoint.bind(sock, "tcp://127.0.0.1:*")
    assert 1 <= int(bound.removeprefix("tcp://127.0.0.1:")) <= 65_535


@needs_ipv6
@pytest.mark.parametrize("address", ["tcp://[::1]:*", "tcp://[::]:*"])
def test_ipv6(address: str) -> None:
    publisher = Publisher(address, insecure=True)
    try:
        assert publisher.connect_address.startswith("tcp://[::1]:")
        with Subscriber(publisher.connect_address) as subscriber:
            publisher(HELLO)
            message = subscriber.receive(20)
        assert message is not None
        assert message.session == publisher.session
    finally:
        publisher.close()


def test_ipc_never_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_text("music")
    with pytest.raises(PublishError, match=rf"'ipc://{path}' \(that path is a file, which is kept"):
        Publisher(f"ipc://{path}")
    assert path.read_text() == "music"


def test_ipc_has_no_abstract_name_since_libzmq_removes_a_file_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("@song.wav").write_text("music")
    with pytest.raises(PublishError, match="an abstract name, open to all users"):
        Publisher("ipc://@song.wav")
    assert Path("@song.wav").read_text() == "music"


def test_ipc_never_follows_a_link(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_text("music")
    (tmp_path / "bus").symlink_to(path)
    with pytest.raises(PublishError, match="that path is a file, which is kept"):
        Publisher(f"ipc://{tmp_path / 'bus'}")
    assert path.read_text() == "music"
    assert (tmp_path / "bus").is_symlink()


def test_ipc_never_steals_the_path_of_a_live_engine(tmp_path: Path) -> None:
    first = Publisher(f"ipc://{tmp_path}/bus")
    try:
        with pytest.raises(PublishError, match=r"in use.*--publish"):
            Publisher(f"ipc://{tmp_path}/bus")
        with Subscriber(first.address) as subscriber:
            first(HELLO)
            assert subscriber.receive(20)
    finally:
        first.close()


def test_ipc_takes_the_place_of_an_engine_that_is_gone(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(tmp_path / "bus"))
    assert (tmp_path / "bus").exists()
    publisher = Publisher(f"ipc://{tmp_path}/bus")
    try:
        with Subscriber(publisher.address) as subscriber:
            publisher(HELLO)
            assert subscriber.receive(20)
    finally:
        publisher.close()


def test_ipc_is_for_its_user_alone(tmp_path: Path) -> None:
    publisher = Publisher(f"ipc://{tmp_path}/bus")
    assert stat.S_IMODE((tmp_path / "bus").stat().st_mode) == 0o600
    publisher.close()
    assert not (tmp_path / "bus").exists()


def test_ipc_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="there is no folder"):
        Publisher(f"ipc://{tmp_path}/no/bus")


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("ipc:///run/bus", "/run/bus"),
        ("ipc:///run/a://b", "/run/a://b"),
        ("ipc://*", ""),
        ("tcp://127.0.0.1:5550", ""),
    ],
)
def test_which_file_an_address_is(address: str, path: str) -> None:
    assert endpoint._path_of(address) == path


@pytest.mark.parametrize("port", [1, 80, 65_535])
def test_every_port_that_there_is_can_be_connected_to(sock: zmq.Socket[bytes], port: int) -> None:
    endpoint.connect(sock, f"tcp://127.0.0.1:{port}")
