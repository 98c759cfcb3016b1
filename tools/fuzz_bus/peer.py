"""A peer that speaks ZMTP 3.0 by hand, so that it can say what no library would."""

from __future__ import annotations

import socket
import struct
from types import TracebackType

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
MORE = 1


def frame(content: bytes, flags: int = 0) -> bytes:
    """A ZMTP frame; a long one has its size in eight bytes."""
    if len(content) < 256:
        return bytes([flags, len(content)]) + content
    return bytes([flags | 2]) + struct.pack(">Q", len(content)) + content


def ready(kind: bytes) -> bytes:
    """The command by which a peer says what kind of socket it is."""
    return b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind


class HostilePeer:
    """A connection to a socket at ``tcp://host:port``, past the handshake.

    Args:
        address: of an XPUB, if nothing else is said.
        timeout_s: of each wait.
        kind, answer: of this socket, and of the one that it connects to.
    """

    def __init__(
        self,
        address: str,
        timeout_s: float = 20.0,
        kind: bytes = b"SUB",
        answer: bytes = b"XPUB",
    ) -> None:
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout_s)
        self.socket.sendall(GREETING)
        self.socket.sendall(frame(ready(kind), 4))
        self.wait_for(answer)

    def send(self, *frames: bytes) -> bool:
        """Sends bytes; False once the publisher has ended the connection."""
        try:
            self.socket.sendall(b"".join(frames))
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def subscribe(self, topic: bytes) -> bool:
        """Subscribes as libraries do."""
        return self.send(frame(b"\x01" + topic))

    def wait_for(self, text: bytes) -> None:
        """Until the publisher has sent ``text``.

        Raises:
            ConnectionError: it has ended the connection before.
        """
        heard = b""
        while text not in heard:
            found = self.socket.recv(65_536)
            if not found:
                raise ConnectionError(f"the publisher ended the connection after {heard!r}")
            heard += found

    def wait_for_end(self) -> None:
        """Until the publisher has ended the connection; what it says before is dropped.

        Raises:
            TimeoutError: it has not.
        """
        try:
            while self.socket.recv(65_536):
                pass
        except ConnectionResetError:
            pass

    def __enter__(self) -> HostilePeer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()
