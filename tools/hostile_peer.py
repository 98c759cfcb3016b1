"""A peer that speaks ZMTP 3.0 by hand, so that it can say what no library would."""

from __future__ import annotations

import socket
import struct
from types import TracebackType

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
READY = b"\x05READY\x0bSocket-Type" + struct.pack(">I", 3) + b"SUB"
MORE = 1


def frame(content: bytes, flags: int = 0) -> bytes:
    """A ZMTP frame; a long one has its size in eight bytes."""
    if len(content) < 256:
        return bytes([flags, len(content)]) + content
    return bytes([flags | 2]) + struct.pack(">Q", len(content)) + content


class HostilePeer:
    """A connection to an XPUB at ``tcp://host:port``, past the handshake."""

    def __init__(self, address: str, timeout_s: float = 20.0) -> None:
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout_s)
        self.socket.sendall(GREETING)
        self.socket.sendall(frame(READY, 4))
        self.wait_for(b"XPUB")

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
