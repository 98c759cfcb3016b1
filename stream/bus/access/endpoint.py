"""Addresses of the bus: what is one, and who holds it. One check for publisher and subscriber."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import re
import socket
import stat
from typing import Any, Final

import zmq

from mmgat.stream.bus.access.keys import ClientKeys, ServerKeys
from mmgat.stream.bus.access.security import openness, secure_client, secure_server
from mmgat.stream.errors import PublishError

EXAMPLE: Final = "tcp://127.0.0.1:5550"
MAX_PORT: Final = 65_535
MAX_PATH_BYTES: Final = 107
"""Of a Unix socket's path on Linux."""

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?(:\d+)?")  # eth0:1 is one


def bind(
    sock: zmq.Socket[Any], address: str, keys: ServerKeys | None = None, *, insecure: bool = False
) -> str:
    """Binds a socket; returns the address with the port it got.

    An ``ipc`` socket that nobody answers on is removed; its successor is for this user alone.

    Args:
        sock: not closed.
        address: to bind.
        keys: whoever connects over TCP needs a key; an ``Authenticator`` runs in the context.
        insecure: other machines may connect without one.

    Raises:
        PublishError: the address is none, in use, the path of something that is no socket, or
            reached by other machines, without keys.
    """
    _check(address, binding=True)
    secure_server(sock, openness(address, keys, insecure), keys)
    path = _path_of(address)
    if path:
        _clear_path(address, path)
    _switch_on_ipv6(sock, address)
    try:
        sock.bind(address)
    except zmq.ZMQError as error:
        if error.errno == zmq.EADDRINUSE:
            raise _in_use(address) from None
        raise _no_address(address, error.strerror or str(error)) from None
    bound = sock.getsockopt_string(zmq.LAST_ENDPOINT)
    if path := _path_of(bound):
        with contextlib.suppress(OSError):
            os.chmod(path, 0o600)
    return bound


def release(bound: str) -> None:
    """Removes the socket of an ``ipc`` address after it was closed, which libzmq leaves behind."""
    if path := _path_of(bound):
        with contextlib.suppress(PublishError):  # somebody else has it by now
            _clear_path(bound, path)


def connect(sock: zmq.Socket[Any], address: str, keys: ClientKeys | None = None) -> None:
    """Connects a socket, with keys if it has some; nobody needs to listen there yet.

    Raises:
        PublishError: the address is none.
    """
    _check(address, binding=False)
    secure_client(sock, keys)
    _switch_on_ipv6(sock, address)
    try:
        sock.connect(address)
    except zmq.ZMQError as error:
        raise _no_address(address, error.strerror or str(error)) from None


def _check(address: str, *, binding: bool) -> None:
    transport, separator, rest = address.partition("://")
    if not separator or transport not in ("tcp", "ipc"):
        raise _no_address(address, "neither tcp:// nor ipc://")
    if not address.isprintable() or " " in address:
        raise _no_address(address, "a space or a control character in it")
    if transport == "tcp":
        _check_tcp(address, rest, binding)
    elif not rest or (rest == "*" and not binding):
        raise _no_address(address, "no path")
    elif binding and rest.startswith("@"):
        raise _no_address(
            address,
            "an abstract name, open to all users; libzmq removes the file that is called so",
        )
    elif len(os.fsencode(rest)) > MAX_PATH_BYTES:
        raise _no_address(address, f"a path of more than {MAX_PATH_BYTES} bytes")


def _check_tcp(address: str, rest: str, binding: bool) -> None:
    host, separator, port = rest.rpartition(":")
    if not separator:
        raise _no_address(address, "no port")
    any_port = binding and port == "*"
    if not any_port and not (
        port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= MAX_PORT
    ):
        free = ", or * for a free one" if binding else ""
        raise _no_address(address, f"port {port!r} is not from 1 to {MAX_PORT}{free}")
    if host.startswith("[") and host.endswith("]"):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise _no_address(address, f"{host} is no IPv6 address") from None
    elif not (binding and host == "*") and not _HOST.fullmatch(host):
        hint = "; IPv6 is written in brackets, tcp://[::1]:5550" if ":" in host else ""
        raise _no_address(address, f"{host!r} is no host{hint}")


def _path_of(address: str) -> str:
    """The path in the file system of an ``ipc`` address; "" where there is none."""
    transport, _, path = address.partition("://")
    return "" if transport != "ipc" or path == "*" else path


def _clear_path(address: str, path: str) -> None:
    """Removes a socket whose engine is gone; refuses whatever else is there."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder):
            raise _no_address(address, f"there is no folder {folder!r}") from None
        return
    except OSError as error:
        raise _no_address(address, error.strerror or str(error)) from None
    if not stat.S_ISSOCK(mode):
        raise _no_address(
            address, "that path is a file, which is kept: remove it or choose another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        found = probe.connect_ex(path)
    if found in (0, errno.EAGAIN, errno.EINPROGRESS):  # EAGAIN: alive, with a full backlog
        raise _in_use(address)
    if found != errno.ECONNREFUSED:
        raise _no_address(address, os.strerror(found))
    try:
        os.unlink(path)
    except OSError as error:
        raise _no_address(address, error.strerror or str(error)) from None


def _switch_on_ipv6(sock: zmq.Socket[Any], address: str) -> None:
    if address.startswith("tcp://["):
        sock.setsockopt(zmq.IPV6, 1)


def _in_use(address: str) -> PublishError:
    return PublishError(
        f"expected a free address to publish on, found {address} in use (is another "
        "mmgat-stream running?): choose another with --publish, such as tcp://127.0.0.1:5551"
    )


def _no_address(address: str, reason: str) -> PublishError:
    return PublishError(f"expected an address such as {EXAMPLE}, found {address!r} ({reason})")
