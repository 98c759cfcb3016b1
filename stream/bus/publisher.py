"""ZeroMQ output: one thread owns an XPUB socket and sends what others hand it."""

from __future__ import annotations

import contextlib
import logging
import math
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec
import zmq

from mmgat.stream.bus.access import endpoint
from mmgat.stream.bus.access.keys import ServerKeys
from mmgat.stream.bus.access.peers import MAX_TOPIC_BYTES, Peers
from mmgat.stream.bus.access.security import Authenticator, openness
from mmgat.stream.bus.protocol import (
    GRAPH_TOPICS,
    Estimate,
    Lifecycle,
    Message,
    Status,
    to_frames,
    without_evidence,
)
from mmgat.stream.bus.replay import Replay
from mmgat.stream.bus.stamp import Stamp
from mmgat.stream.bus.validation import MAX_MESSAGE_BYTES
from mmgat.stream.errors import ProtocolError, PublishError
from mmgat.stream.settings import BusSettings

REPLAY_PERIOD_S: Final = 1.0
REPLAY_PAUSE_S: Final = 0.01
MAX_WAITING: Final = 10_000
MAX_FRAMES_AT_ONCE: Final = 1000
MAX_GRAPH_TOPICS: Final = 256
HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS = 2000, 4000
LINGER_MS: Final = 500
SHUTDOWN_TIMEOUT_S: Final = 3.0

_log: Final = logging.getLogger(__name__)


class Publisher:
    """Publishes messages from any thread; a slow subscriber loses messages, never delays us.

    Whoever subscribes gets the hello and what it missed within a second, marked ``replayed``; at
    most once a second, so that a storm of subscribers costs the others little. A fault of one
    message loses that message, which its ``seq`` shows.

    Example::

        >>> publisher = Publisher("tcp://127.0.0.1:*")
        >>> publisher(Event(
        ...     source="desk", event="on", id="piano-1", label="piano", time_s=2, onset_s=2, score=0.9
        ... ))
        >>> publisher.close()

    Args:
        address: to bind, such as ``tcp://127.0.0.1:5550``; port ``*`` takes a free one. Several are
            bound one after the other.
        status: asked once a second for what to publish as status.
        session: identifies the run; made up if it is not given.
        keys: whoever connects over TCP needs a key that is known.
        insecure: other machines may connect without one.
        settings: how much is kept, and for how many.

    Attributes:
        address: the first that was bound, with its port.
        addresses: all of them.
        published: messages that were handed over.
        security: who may connect to the first: ``local``, ``curve`` or ``none``, as in ``Hello``.

    Raises:
        PublishError: the address is in use, is none, or is reached by other machines, and there are
            neither keys nor ``insecure``.
    """

    def __init__(
        self,
        address: str | Sequence[str],
        status: Callable[[], list[Status]] = list,
        session: str = "",
        keys: ServerKeys | None = None,
        *,
        insecure: bool = False,
        settings: BusSettings | None = None,
    ) -> None:
        self._settings = settings or BusSettings()
        self._stamp = Stamp(session)
        self._status = status
        self._lock = threading.Lock()
        self.published = 0
        self._waiting: deque[Message] = deque(maxlen=MAX_WAITING)
        self._replay = Replay(self._settings.history_s)
        self._graph_topics: set[bytes] = set()
        self._logged: set[type[Exception]] = set()
        self._next_status = self._next_replay = time.monotonic()
        self._context = zmq.Context()
        self._authenticator = Authenticator(self._context, keys) if keys else None
        self._socket = self._context.socket(zmq.XPUB)
        # Not XPUB_MANUAL: there, a message that is no subscription makes libzmq 4.3.5 apply the
        # next subscription to the wrong peer, so any peer could shut others out.
        self._socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        self._socket.setsockopt(zmq.LINGER, LINGER_MS)
        self._socket.setsockopt(zmq.SNDHWM, self._settings.reader_queue)
        # A reader whose queues are full no longer answers: it costs memory for so long only.
        self._socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
        self._socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
        self._peers = Peers(self._socket, self._settings.max_readers)
        self.addresses: list[str] = []
        try:
            for one in [address] if isinstance(address, str) else address:
                bound = endpoint.bind(self._socket, one, keys, insecure=insecure)
                self.addresses.append(bound)
        except PublishError:
            self._peers.close()
            self._socket.close(linger=0)
            self._end_context()
            raise
        self.address = self.addresses[0]
        self.security = openness(self.address, keys, insecure)
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._poller = zmq.Poller()
        for readable in (self._socket, self._woken.fileno()):
            self._poller.register(readable, zmq.POLLIN)
        self._closing = threading.Event()
        self._lifecycle = Lifecycle(
            state="started",
            host=socket.gethostname(),
            address=self.address,
            started_at=time.time(),
        )
        self(self._lifecycle)
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    @property
    def session(self) -> str:
        """Identifies the run."""
        return self._stamp.session

    @property
    def wants_graph(self) -> bool:
        """Whether somebody subscribes to graphs: they are made and sent only then."""
        return bool(self._graph_topics)

    @property
    def connect_address(self) -> str:
        """Where a subscriber on this machine connects: without keys, if an ``ipc`` address is bound."""
        local = next((a for a in self.addresses if a.startswith("ipc://")), self.address)
        return local.replace("://0.0.0.0:", "://127.0.0.1:").replace("://[::]:", "://[::1]:")

    @property
    def alive(self) -> bool:
        """Whether the thread that publishes runs."""
        return self._thread.is_alive()

    @property
    def readers(self) -> int:
        """Connections that there are now."""
        return len(self._peers)

    @property
    def refused(self) -> int:
        """Connections that were ended: they sent more than a reader needs, or their key is unknown."""
        unknown = self._authenticator.refused if self._authenticator else 0
        return self._peers.refused + unknown

    def __call__(self, message: Message) -> None:
        """Hands a message over and returns at once."""
        with self._lock:  # numbered here, so that a gap shows what did not fit into the queue
            self._waiting.append(self._stamp(message))
            self.published += 1
        self._wake_up()

    def skip(self, topic: str, n: int) -> None:
        """Leaves out ``n`` numbers of a topic, as readers see by: so many messages are lost."""
        self._stamp.skip(topic, n)

    def close(self) -> None:
        """Sends what waits, with a last status, and gives the address back."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._wake_up()
        self._thread.join(SHUTDOWN_TIMEOUT_S)
        if self._thread.is_alive():
            _log.warning("expected the bus to close in %.0f s, it did not", SHUTDOWN_TIMEOUT_S)
            return
        self._wake.close()
        self._woken.close()
        self._end_context()

    def _end_context(self) -> None:
        if self._authenticator:
            self._authenticator.close()
        self._context.term()
        for address in self.addresses:
            endpoint.release(address)

    def _wake_up(self) -> None:
        with contextlib.suppress(OSError):  # it is awake already, or closed
            self._wake.send(b".")

    def _run(self) -> None:
        while not self._closing.is_set():
            if not self._survive(self._wait):
                self._closing.wait(0.1)  # never a busy loop
            self._survive(self._hear_peers)
            self._survive(self._send_waiting)
            if time.monotonic() >= self._next_status:
                self._next_status = time.monotonic() + self._settings.status_s
                self._survive(self._hand_over_status)
                self._survive(self._send_waiting)
            if self._replay.asked and time.monotonic() >= self._next_replay:
                self._next_replay = time.monotonic() + REPLAY_PERIOD_S
                self._survive(lambda: self._replay.begin(time.time()))
            self._survive(self._send_replay)
        self._survive(self._hand_over_status)
        self(msgspec.structs.replace(self._lifecycle, state="ended"))
        self._survive(self._send_waiting)
        self._survive(self._peers.close)
        self._survive(self._socket.close)

    def _survive(self, step: Callable[[], None]) -> bool:
        """Runs a step; False if it failed. Each kind of fault is logged once."""
        try:
            step()
        except Exception as error:
            if type(error) not in self._logged:
                self._logged.add(type(error))
                fault = f"{type(error).__name__}: {error}"  # no traceback: it parses source
                _log.warning("the bus goes on after a fault, %s", fault)
            return False
        return True

    def _wait(self) -> None:
        now = time.monotonic()
        until = (
            min(self._next_status, self._next_replay) if self._replay.asked else self._next_status
        )
        if self._replay.waiting:
            until = min(until, now + REPLAY_PAUSE_S)
        ready = dict(self._poller.poll(math.ceil(1000 * max(0.0, until - now))))
        if self._woken.fileno() in ready:
            self._woken.recv(4096)

    def _hear_peers(self) -> None:
        now = time.monotonic()
        for _ in range(MAX_FRAMES_AT_ONCE):  # what waits is sent in between, also in a flood
            try:
                frame = self._socket.recv(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            self._follow_graph_topics(frame.bytes)
            topic = self._peers.new_topic(frame, now)
            if topic is not None:
                self._replay.ask(topic)

    def _follow_graph_topics(self, content: bytes) -> None:
        """libzmq tells of every subscription, and of its end when nobody is left who has it."""
        if content[1:].startswith(GRAPH_TOPICS.encode()) and len(content) <= MAX_TOPIC_BYTES:
            if content[0]:
                if len(self._graph_topics) < MAX_GRAPH_TOPICS:
                    self._graph_topics.add(content[1:])
            else:
                self._graph_topics.discard(content[1:])

    def _hand_over_status(self) -> None:
        for status in self._status():
            self(status)

    def _send_waiting(self) -> None:
        for _ in range(len(self._waiting)):
            message = self._waiting.popleft()
            self._survive(partial(self._send, message))
            self._replay.keep(message)

    def _send_replay(self) -> None:
        for message in self._replay.portion():
            self._survive(partial(self._send, message))

    def _send(self, message: Message) -> None:
        if isinstance(message, Estimate) and not self._settings.evidence:
            message = without_evidence(message)
        frames = to_frames(message)
        if len(frames[1]) > MAX_MESSAGE_BYTES:
            raise ProtocolError(
                f"expected at most {MAX_MESSAGE_BYTES} bytes of a message, found {len(frames[1])}"
            )
        self._socket.send_multipart(frames)
