"""Who may connect to a bound socket: this machine, readers whose keys are known, or anybody."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
from typing import Any, Final, Literal

import zmq

from mmgat.stream.bus.access.keys import ClientKeys, ServerKeys
from mmgat.stream.errors import PublishError

DOMAIN: Final = "mmgat"
Openness = Literal["local", "curve", "none"]

_quiet: Final = logging.getLogger("mmgat.stream.bus.zap")
_quiet.setLevel(logging.CRITICAL)  # refused readers are counted, not logged one by one


class Authenticator:
    """Lets those in whose public keys are in a folder; one for each context, before any ``bind``.

    Args:
        context: whose sockets are secured.
        keys: the folder, and the pair of the sockets themselves.

    Attributes:
        refused: readers with unknown keys.
    """

    def __init__(self, context: zmq.Context[Any], keys: ServerKeys) -> None:
        # here, since it brings asyncio: 40 ms of every start without keys
        from zmq.auth.thread import ThreadAuthenticator

        self.keys, self.refused = keys, 0
        self._zap = ThreadAuthenticator(context, log=_quiet)
        self._zap.start()
        self._zap.configure_curve_callback(DOMAIN, self)

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether a reader with this public key may connect; asked by the authenticator."""
        known = False
        with contextlib.suppress(Exception):  # whatever happens to the folder: nobody comes in
            known = bool(self.keys.name_of(key))
        self.refused += not known
        return known

    def close(self) -> None:
        """Ends the thread, before the context ends."""
        self._zap.stop()


def openness(address: str, keys: ServerKeys | None, insecure: bool) -> Openness:
    """Who may connect to an address.

    Raises:
        PublishError: other machines reach it, and there are neither keys nor ``insecure``.
    """
    if address.startswith("ipc://"):
        return "local"
    if keys is not None:
        return "curve"
    if is_loopback(address):
        return "local"
    if insecure:
        return "none"
    raise PublishError(
        f"expected keys for {address}, which other machines reach, found none: give --key and "
        "--clients (mmgat-keys makes them), publish on tcp://127.0.0.1:5550, or say --insecure if "
        "anybody there may read and nothing need be encrypted"
    )


def is_loopback(address: str) -> bool:
    """Whether a TCP address can be reached from this machine only."""
    return is_loopback_host(address.removeprefix("tcp://").rpartition(":")[0].strip("[]"))


def is_loopback_host(host: str) -> bool:
    """Whether only this machine reaches a host, a name or an address without brackets."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def secure_server(sock: zmq.Socket[Any], who: Openness, keys: ServerKeys | None) -> None:
    """Sets what the next ``bind`` of a socket asks of those who connect."""
    sock.setsockopt(zmq.CURVE_SERVER, int(who == "curve"))
    if who == "curve" and keys is not None:
        sock.setsockopt(zmq.CURVE_PUBLICKEY, keys.own.public)
        sock.setsockopt(zmq.CURVE_SECRETKEY, keys.own.secret)
        sock.setsockopt_string(zmq.ZAP_DOMAIN, DOMAIN)
        sock.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # without an authenticator nobody comes in


def secure_client(sock: zmq.Socket[Any], keys: ClientKeys | None) -> None:
    """Gives a socket the keys that it connects with."""
    if keys is not None:
        sock.setsockopt(zmq.CURVE_SERVERKEY, keys.server)
        sock.setsockopt(zmq.CURVE_PUBLICKEY, keys.own.public)
        sock.setsockopt(zmq.CURVE_SECRETKEY, keys.own.secret)
