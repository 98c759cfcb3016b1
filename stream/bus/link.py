"""The connection of a subscriber's socket: whether it stands, and why it does not."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any, Final

import zmq
from zmq.utils.monitor import parse_monitor_message

from mmgat.stream.bus.access import endpoint
from mmgat.stream.bus.access.keys import ClientKeys
from mmgat.stream.bus.notices import Notice

RETRY_S: Final = 5.0
"""After so long a reader that was refused tries again; libzmq itself gives up."""

REFUSALS_BEFORE_WORDS: Final = 2
"""A connection that ends within its handshake may also be an engine that is just ending."""

_EVENTS: Final = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)


class Link:
    """Connects a socket and follows what becomes of it.

    Args:
        sock: not yet connected.
        address: to connect to.
        keys: for an engine that has some.

    Attributes:
        up: the connection stands.
        reconnects: how often it stood again.

    Raises:
        PublishError: the address is none.
    """

    def __init__(self, sock: zmq.Socket[Any], address: str, keys: ClientKeys | None) -> None:
        self._sock, self._address, self._keys = sock, address, keys
        self.up, self.reconnects = False, -1
        self._refusals, self._told = 0, False
        self._retry_at: float | None = None
        name = f"inproc://link-{uuid.uuid4().hex}"
        sock.monitor(name, _EVENTS)
        context: zmq.Context[Any] = zmq.Context.shadow(sock.context.underlying)
        self._monitor = context.socket(zmq.PAIR)
        self._monitor.connect(name)
        try:
            endpoint.connect(sock, address, keys)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Before the socket is closed, by the thread that owns it."""
        with contextlib.suppress(zmq.ZMQError):
            self._sock.disable_monitor()
        self._monitor.close(linger=0)

    def poll(self, now: float) -> Iterator[Notice]:
        """What has happened since the last call.

        Args:
            now: seconds, monotonic.
        """
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            with contextlib.suppress(zmq.ZMQError):
                self._sock.disconnect(self._address)
            self._sock.connect(self._address)
        while self._monitor.poll(0):
            event = parse_monitor_message(self._monitor.recv_multipart())["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.up, self._refusals, self._told = True, 0, False
                self.reconnects += 1
                again = " again" if self.reconnects else ""
                yield Notice("connected", f"connected to {self._address}{again}")
            elif event == zmq.EVENT_DISCONNECTED:
                if self.up:
                    yield Notice("disconnected", f"the connection to {self._address} is gone")
                self.up = False
            else:
                yield from self._refused(event, now)

    def _refused(self, event: int, now: float) -> Iterator[Notice]:
        self._refusals += 1
        certain = event != zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        if certain:
            self._retry_at = now + RETRY_S
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            why = "it does not know our key: put our .key file into its folder of --clients"
        elif self._keys:
            why = "is --server-key its public key, and has it keys at all? If not, leave ours out"
        else:
            why = "it may need --key and --server-key, or something else than an engine runs there"
        if (certain or self._refusals > REFUSALS_BEFORE_WORDS) and not self._told:
            self._told = True
            yield Notice(
                "refused", f"expected {self._address} to let us in, found it refuse: {why}"
            )
