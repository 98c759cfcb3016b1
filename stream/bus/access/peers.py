"""Bounds on what the readers of a publisher may cost it.

libzmq keeps every subscription of every peer, in manual mode too, and the parts of a message until
its last one has come. So a peer that sends more than a reader needs loses its connection. The
libraries reconnect, so an honest reader that was misjudged is back after a moment.

libzmq takes in what a peer sends as long as it comes, within one call of the thread that owns the
socket. So a thread of its own counts the bytes, and the system's buffer is small.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import struct
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Final

import zmq

MAX_FRAME_BYTES: Final = 1024
MAX_TOPIC_BYTES: Final = 256
MAX_TOPICS_PER_PEER: Final = 96
MAX_BYTES_OF_TOPICS: Final = 256 * 1024
"""Of all peers together; libzmq takes some 50 times as much memory."""

BURST_BYTES, BYTES_PER_S = 32 * 1024, 100.0
"""What a peer may send: a handshake and subscriptions, then a heartbeat every few seconds."""

BURST_FRAMES, FRAMES_PER_S = 500, 1.0
MAX_PEERS: Final = 1000
SPARE_FILES: Final = 200
"""Open files that are left to the rest of the process, whatever the number of peers."""

RECEIVE_BUFFER_BYTES: Final = 16 * 1024
CHECK_S, CHECK_S_PER_PEER = 0.02, 0.0005
"""How often the bytes are counted; many peers together take a fiftieth of a core."""

_MONITOR_EVENT: Final = struct.Struct("=hi")
"""A monitored event and its value; pyzmq's own parser would bring asyncio, 30 ms of every start."""

_BYTES_RECEIVED: Final = 128
"""Where Linux's ``struct tcp_info`` has ``tcpi_bytes_received``, 64 bits."""


@dataclass
class _Peer:
    inode: int
    since: float
    frames: int = 0
    topics: set[bytes] = field(default_factory=set)

    def allows(self, burst: float, per_s: float, now: float) -> float:
        return burst + per_s * (now - self.since)


class Peers:
    """The connections of an XPUB or ROUTER socket, made before it is bound.

    Args:
        sock: whose connections they are.
        max_peers: connections at a time.
        burst_bytes, bytes_per_s: what each may send.

    Attributes:
        refused: connections that were ended.
    """

    def __init__(
        self,
        xpub: zmq.Socket[bytes],
        max_peers: int = MAX_PEERS,
        burst_bytes: float = BURST_BYTES,
        bytes_per_s: float = BYTES_PER_S,
    ) -> None:
        self._max_peers = min(max_peers, _file_limit() - SPARE_FILES)
        self._burst_bytes, self._bytes_per_s = burst_bytes, bytes_per_s
        self._xpub = xpub
        self._peers: dict[int, _Peer] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._bytes_of_topics = 0
        self.refused = 0
        address = f"inproc://peers-{uuid.uuid4().hex}"
        if xpub.type == zmq.XPUB:
            xpub.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        xpub.setsockopt(zmq.RCVHWM, 100)
        xpub.setsockopt(zmq.RCVBUF, RECEIVE_BUFFER_BYTES)
        self._monitor: zmq.Socket[bytes] = xpub.context.socket(zmq.PAIR)
        self._monitor.setsockopt(zmq.RCVHWM, 0)  # otherwise a storm of connects would block libzmq
        xpub.monitor(address, zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
        self._monitor.connect(address)
        self._thread = threading.Thread(target=self._run, name="peers", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Connections that there are now."""
        return len(self._peers)

    def new_topic(self, frame: zmq.Frame, now: float) -> bytes | None:
        """The topic that a peer's frame subscribes to, if it does and may."""
        with self._lock:
            return self._new_topic(frame, now)

    def close(self) -> None:
        """Before the socket is closed, by the thread that owns it."""
        self._closing.set()
        self._thread.join()
        self._xpub.disable_monitor()
        self._monitor.close(linger=0)

    def _run(self) -> None:
        while not self._closing.wait(CHECK_S + CHECK_S_PER_PEER * len(self._peers)):
            with contextlib.suppress(Exception), self._lock:
                now = time.monotonic()
                self._follow(now)
                self._check(now)

    def _follow(self, now: float) -> None:
        """Takes note of who came and went."""
        while self._monitor.poll(0):
            event, fd = _MONITOR_EVENT.unpack(self._monitor.recv_multipart()[0])
            self._forget(fd)
            if event == zmq.EVENT_ACCEPTED:
                with contextlib.suppress(OSError):  # it is gone already
                    self._peers[fd] = _Peer(os.fstat(fd).st_ino, now)
                    if len(self._peers) > self._max_peers:
                        self._end(fd)

    def _new_topic(self, frame: zmq.Frame, now: float) -> bytes | None:
        content = frame.bytes
        fd = _fd_of(frame)
        if fd not in self._peers:
            self._follow(now)
        peer = self._peers.get(fd)
        subscribes = content[:1] == b"\x01"
        topic = content[1:]
        if peer is None:  # it has gone, or libzmq does not tell whose frame it is
            return topic if subscribes and fd < 0 else None
        peer.frames += 1
        if subscribes and topic not in peer.topics:
            peer.topics.add(topic)
            self._bytes_of_topics += len(topic)
        elif content[:1] == b"\x00" and topic in peer.topics:
            peer.topics.remove(topic)
            self._bytes_of_topics -= len(topic)
        if (
            peer.frames > peer.allows(BURST_FRAMES, FRAMES_PER_S, now)
            or len(topic) > MAX_TOPIC_BYTES
            or len(peer.topics) > MAX_TOPICS_PER_PEER
            or self._bytes_of_topics > MAX_BYTES_OF_TOPICS
        ):
            self._end(fd)
            return None
        return topic if subscribes else None

    def _check(self, now: float) -> None:
        """Ends the connections that have sent more than a reader does; only TCP on Linux tells."""
        if sys.platform != "linux":
            return
        for fd, peer in list(self._peers.items()):
            if _bytes_received(fd) > peer.allows(self._burst_bytes, self._bytes_per_s, now):
                self._end(fd)

    def _forget(self, fd: int) -> _Peer | None:
        peer = self._peers.pop(fd, None)
        if peer:
            self._bytes_of_topics -= sum(map(len, peer.topics))
        return peer

    def _end(self, fd: int) -> None:
        """libzmq sees the end of the connection and forgets what the peer asked for."""
        peer = self._forget(fd)
        if peer is None:
            return
        self.refused += 1
        # The duplicate is certainly the peer's connection, even if the number is used anew by now.
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fd)) as connection:
            if os.fstat(connection.fileno()).st_ino == peer.inode:
                connection.shutdown(socket.SHUT_RDWR)


def _file_limit() -> int:
    """How many files this process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1_000_000 if soft == resource.RLIM_INFINITY else soft


def _fd_of(frame: zmq.Frame) -> int:
    """The number of the connection that a frame came by; -1 where libzmq does not tell."""
    try:
        return int(frame.get("__fd"))
    except (zmq.ZMQError, ValueError, KeyError):
        return -1


def _bytes_received(fd: int) -> int:
    try:
        with socket.socket(fileno=os.dup(fd)) as connection:
            if connection.family not in (socket.AF_INET, socket.AF_INET6):
                return 0
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            return int(struct.unpack_from("=Q", info, _BYTES_RECEIVED)[0])
    except (OSError, struct.error):
        return 0
