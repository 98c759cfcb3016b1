"""ZeroMQ output: one thread owns an XPUB socket and sends what others hand it."""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Final

import msgspec
import zmq

from mmgat.stream.bus.protocol import Hello, Message, Status, to_frames, topic_of
from mmgat.stream.errors import PublishError

STATUS_PERIOD_S: Final = 1.0
MAX_WAITING: Final = 10_000
LINGER_MS: Final = 500


class Publisher:
    """Publishes messages from any thread; a slow subscriber loses messages, never delays us.

    The last hello is sent again whenever somebody subscribes, so that a newcomer knows the labels.

    Example::

        >>> publisher = Publisher("tcp://127.0.0.1:*")
        >>> publisher(Event(
        ...     source="desk", event="on", id="piano-1", label="piano", time_s=2, onset_s=2, score=0.9
        ... ))
        >>> publisher.close()

    Args:
        address: to bind, such as ``tcp://127.0.0.1:5550``; port ``*`` takes a free one.
        status: asked once a second for what to publish as status.

    Raises:
        PublishError: the address is in use or is none.
    """

    def __init__(self, address: str, status: Callable[[], list[Status]] = list) -> None:
        self.session = uuid.uuid4().hex[:12]
        self._status = status
        self._waiting: deque[Message] = deque(maxlen=MAX_WAITING)
        self._last_hello: Hello | None = None
        self._next_seq: defaultdict[str, int] = defaultdict(int)
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        self._socket.setsockopt(zmq.LINGER, LINGER_MS)
        try:
            self._socket.bind(address)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise PublishError(_why_not(address, error)) from None
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    @property
    def connect_address(self) -> str:
        """Where a subscriber on this machine connects."""
        return self.address.replace("://0.0.0.0:", "://127.0.0.1:").replace("://[::]:", "://[::1]:")

    def __call__(self, message: Message) -> None:
        """Hands a message over and returns at once."""
        self._waiting.append(message)
        with contextlib.suppress(BlockingIOError):  # it is awake already
            self._wake.send(b".")

    def close(self) -> None:
        """Sends what waits, with a last status, and gives the address back."""
        if self._closing.is_set():
            return
        self._closing.set()
        with contextlib.suppress(BlockingIOError):
            self._wake.send(b".")
        self._thread.join()
        self._wake.close()
        self._woken.close()
        self._context.term()

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._woken.fileno(), zmq.POLLIN)
        next_status = time.monotonic()
        while True:
            closing = self._closing.is_set()
            wait_s = 0.0 if closing else max(0.0, next_status - time.monotonic())
            ready = dict(poller.poll(math.ceil(1000 * wait_s)))
            if self._woken.fileno() in ready:
                self._woken.recv(4096)
            if self._socket in ready and self._socket.recv()[:1] == b"\x01" and self._last_hello:
                self._socket.send_multipart(to_frames(self._last_hello))
            while self._waiting:
                self._send(self._waiting.popleft())
            if closing or time.monotonic() >= next_status:
                next_status = time.monotonic() + STATUS_PERIOD_S
                for status in self._status():
                    self._send(status)
            if closing:
                self._socket.close()
                return

    def _send(self, message: Message) -> None:
        topic = topic_of(message)
        message = msgspec.structs.replace(
            message, session=self.session, seq=self._next_seq[topic], time=time.time()
        )
        self._next_seq[topic] += 1
        if isinstance(message, Hello):
            self._last_hello = message
        self._socket.send_multipart(to_frames(message))


def _why_not(address: str, error: zmq.ZMQError) -> str:
    if error.errno == zmq.EADDRINUSE:
        return (
            f"expected a free address to publish on, found {address} in use (is another "
            "mmgat-stream running?): choose another with --publish, such as tcp://127.0.0.1:5551"
        )
    return (
        f"expected an address to publish on such as tcp://127.0.0.1:5550, found {address!r} "
        f"({error.strerror or error})"
    )
