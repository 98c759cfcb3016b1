"""The attacks: on readers, on the publisher and an honest reader beside it, on the control endpoint.

Everything goes through real sockets on this machine.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
import zmq

from mmgat.stream.bridges.midi.mapping import MidiMapping, MidiState, midi_messages
from mmgat.stream.bridges.mqtt.topics import TopicMapper
from mmgat.stream.bridges.osc import osc_messages
from mmgat.stream.bridges.prometheus.metrics import MetricState, metrics
from mmgat.stream.bridges.sounding import Sounding
from mmgat.stream.bridges.ws import text_of
from mmgat.stream.bus.protocol import PREFIX, Event, Message, to_frames, to_json
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.bus.subscriber import Subscriber
from mmgat.stream.control.answers import Result, SourceState
from mmgat.stream.control.client import ControlClient
from mmgat.stream.control.requests import Describe, Request, encode_request
from mmgat.stream.control.server import ControlServer
from mmgat.stream.dashboard.state.dashboard import DashboardState, advance
from mmgat.stream.errors import StreamError
from tools.fuzz_bus.messages import VALID, hostile_frames
from tools.fuzz_bus.peer import MORE, HostilePeer, frame

BATCH: Final = 200
TIMEOUT_S: Final = 60.0
MAX_GROWTH_MB: Final = 20.0
HELD: Final = 20
"""Connections that a hostile reader keeps."""


@dataclass
class Outcome:
    """What a run came to.

    Attributes:
        messages: hostile ones that were sent.
        deaths: exceptions that left a reader, or threads that ended.
        refused: messages that were counted as damaged, or connections that were ended.
        lost: messages that an honest reader did not get, or that ended up in the wrong order.
        growth_mb: of resident memory, from a tenth of the run on to its end.
    """

    messages: int = 0
    deaths: int = 0
    refused: int = 0
    lost: int = 0
    growth_mb: float = 0.0

    @property
    def faults(self) -> list[str]:
        """What must not be, in words."""
        found = [f"{self.deaths} deaths"] if self.deaths else []
        found += [f"{self.lost} messages lost by an honest reader"] if self.lost else []
        if self.growth_mb > MAX_GROWTH_MB:
            found.append(f"memory grew by {self.growth_mb:.1f} MB")
        return found


def attack_readers(n_messages: int, seed: int) -> Outcome:
    """Hostile messages through a socket to a subscriber, its JSON, the dashboard and the bridges."""
    hostile = hostile_frames(random.Random(seed))
    outcome, memory = Outcome(), _Memory(n_messages)
    state, bridges = DashboardState(address=""), Bridges()
    with zmq.Context() as context, context.socket(zmq.XPUB) as publisher:
        publisher.setsockopt(zmq.LINGER, 0)
        port = publisher.bind_to_random_port("tcp://127.0.0.1")
        with Subscriber(f"tcp://127.0.0.1:{port}") as reader:
            publisher.recv()
            while outcome.messages < n_messages:
                for frames in islice(hostile, BATCH):
                    publisher.send_multipart(frames)
                outcome.messages += BATCH
                marker = f"marker {outcome.messages}"
                publisher.send_multipart(to_frames(_event(marker, marker)))
                while True:
                    try:
                        message = reader.receive(TIMEOUT_S)
                        if message is None:
                            outcome.deaths += 1
                            return outcome
                        to_json(message).encode()
                        state = advance(state, message, time.monotonic())
                        bridges.take(message)
                    except Exception:
                        logging.exception("a reader died")
                        outcome.deaths += 1
                        continue
                    if message.session == marker:
                        break
                memory.look(outcome.messages)
            outcome.refused = reader.damaged
    outcome.growth_mb = memory.growth_mb
    return outcome


def attack_publisher(n_messages: int, seed: int) -> Outcome:
    """Hostile frames to a publisher, while an honest reader counts what it gets."""
    chance = random.Random(seed)
    outcome, memory = Outcome(), _Memory(n_messages)
    publisher = Publisher("tcp://127.0.0.1:*")
    publisher(VALID[0])
    with Subscriber(publisher.address, (PREFIX + "event/honest/", PREFIX + "hello/")) as honest:
        if honest.receive(TIMEOUT_S) is None:
            outcome.deaths += 1
        t = 0
        held: deque[socket.socket] = deque()
        while outcome.messages < n_messages and not outcome.deaths:
            frames = chance.choice(_ATTACKS)(chance)
            with contextlib.suppress(OSError):  # the publisher has ended the connection
                peer = HostilePeer(publisher.address, timeout_s=0.5)
                if len(held) == HELD:
                    held.popleft().close()
                held.append(peer.socket)
                peer.send(*frames)
            outcome.messages += len(frames)
            t += 1
            publisher(_event("", "honest", t))
            while not outcome.deaths:
                message = honest.receive(TIMEOUT_S)
                if message is None:
                    outcome.deaths += 1
                elif isinstance(message, Event):
                    outcome.lost += message.time_s != t
                    break
            memory.look(outcome.messages)
        outcome.lost += honest.losses.lost
        for connection in held:
            connection.close()
    outcome.refused = publisher.refused
    outcome.deaths += not publisher.alive
    publisher.close()
    outcome.growth_mb = memory.growth_mb
    return outcome


class Bridges:
    """What every bridge makes of a message, without its receiver."""

    def __init__(self) -> None:
        self._sounding, self._mqtt, self._metrics = Sounding(), TopicMapper(), MetricState()
        self._mapping = MidiMapping(notes={"piano": 60}, controls={"piano": 20})
        self._midi = MidiState()

    def take(self, message: Message) -> None:
        text_of(message)
        for signal in self._sounding.update(message):
            osc_messages(signal)
            midi_messages(signal, self._mapping, 0, self._midi)
            self._mqtt.publications(signal)
            self._metrics.advance(signal)
        metrics(self._metrics)


def attack_control(n_messages: int, seed: int) -> Outcome:
    """Hostile frames to the control endpoint, while an honest client asks."""
    chance = random.Random(seed)
    outcome, memory = Outcome(), _Memory(n_messages)
    server = ControlServer("tcp://127.0.0.1:*", _answer)
    asked = encode_request(Describe())
    with ControlClient(server.address, timeout_s=TIMEOUT_S) as honest:
        while outcome.messages < n_messages and not outcome.deaths:
            frames = [_request(chance, asked) for _ in range(BATCH)]
            with (
                contextlib.suppress(OSError),  # the endpoint has ended the connection
                HostilePeer(server.address, 0.5, b"DEALER", b"ROUTER") as peer,
            ):
                peer.send(*frames)
            outcome.messages += BATCH
            try:
                outcome.lost += honest(Describe()) != msgspec.to_builtins(_answer(Describe()))
            except StreamError:
                logging.exception("the endpoint died")
                outcome.deaths += 1
            memory.look(outcome.messages)
    outcome.refused = server.faults
    server.close()
    outcome.growth_mb = memory.growth_mb
    return outcome


def _answer(request: Request) -> Result:
    return SourceState(source="honest", paused=not isinstance(request, Describe))


def _request(chance: random.Random, asked: bytes) -> bytes:
    at = chance.randrange(len(asked))
    content = chance.choice(
        (
            chance.randbytes(chance.randrange(300)),
            asked[:at] + chance.randbytes(2) + asked[at + 2 :],
            b'{"request":"mute","labels":' + b"[" * chance.randrange(1, 3000),
            b'{"request":"mark","text":"\x1b[2J' + chance.randbytes(20) + b'"}',
            b'{"request":"thresholds","thresholds":{"piano":1e999}}',
            b"x" * chance.choice((10_000, 20_000)),
        )
    )
    return frame(content, MORE * (chance.random() < 0.2))


def _topic(chance: random.Random) -> bytes:
    return chance.choice(
        (b"", PREFIX.encode(), b"x" * 255, chance.randbytes(chance.randrange(400)))
    )


_ATTACKS: Final[tuple[Callable[[random.Random], list[bytes]], ...]] = (
    lambda chance: [frame(b"\x01" + _topic(chance)) for _ in range(1000)],
    lambda chance: [frame(b"\x01%d" % chance.randrange(10**9)) for _ in range(1000)],
    lambda chance: [frame(b"\x01" + chance.randbytes(1000)) for _ in range(1000)],
    lambda _: [frame(b"\x01mmgat/v2/"), frame(b"\x00mmgat/v2/")] * 500,
    lambda chance: [frame(chance.randbytes(chance.randrange(1000))) for _ in range(1000)],
    lambda _: [frame(b"x" * 1000, MORE)] * 1000,
    lambda chance: [frame(b"\x01" + b"x" * 60_000)] * chance.randrange(1, 20),
    lambda chance: [frame(chance.randbytes(9), chance.randrange(256)) for _ in range(500)],
    lambda chance: [chance.randbytes(50) for _ in range(500)],
)


def _event(session: str, source: str, t: float = 0.0) -> Message:
    event: dict[str, Any] = {"session": session, "source": source, "id": str(t), "time_s": t}
    return msgspec.structs.replace(VALID[2], **event)


class _Memory:
    """Resident memory from a tenth of the run on, when caches and pools are warm."""

    def __init__(self, n_messages: int) -> None:
        self._from = n_messages // 10
        self._first_mb = self._last_mb = 0.0

    @property
    def growth_mb(self) -> float:
        return self._last_mb - self._first_mb

    def look(self, n_messages: int) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self._last_mb = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        if n_messages <= self._from or not self._first_mb:
            self._first_mb = self._last_mb
