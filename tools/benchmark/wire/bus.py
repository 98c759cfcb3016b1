"""The bus on this machine: latency, many readers, stuck and idle ones, bytes of a message."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import zmq

from mmgat.model.labels import LABELS
from mmgat.stream.bus.protocol import Estimate, to_frames, without_evidence
from tools.benchmark.timing import percentile

N_SOURCES = 32
PER_S = 50
CALM_PER_S = 2
SECONDS = 10.0
N_READERS = 200
N_IDLE = 1000
STUCK_S = 15.0


def estimate(source: str = "Scarlett 2i2 1") -> Estimate:
    """As a live source gives it, with ten nodes."""
    return Estimate(
        source=source,
        index=1234,
        t0=617.0,
        t1=618.0,
        scores={label: round(0.013577 * (n + 1), 6) for n, label in enumerate(LABELS)},
        bag_scores={label: round(0.011311 * (n + 1), 6) for n, label in enumerate(LABELS)},
        active=["piano", "violin"],
        near_misses=["voice"],
        evidence={label: [0.012345 + n / 1000 for n in range(10)] for label in LABELS},
        evidence_t0=[608.0 + n for n in range(10)],
        level_dbfs=-23.456,
        latency_ms=31.25,
    )


def bus() -> Iterator[str]:
    """What the bus costs and how soon a message is there."""
    yield from _bytes()
    alone = _measure(0)
    yield f"{N_SOURCES} sources, {PER_S} messages a second each: {_words(alone)}"
    yield f"the same messages over bare ZeroMQ sockets: {_words(_measure(0, kind='bare'))}"
    many = _measure(N_READERS - 1, per_s=CALM_PER_S)
    yield f"{N_READERS} readers, {CALM_PER_S} messages a second and source: {_words(many)}"
    stuck = _measure(0, stuck=True, seconds=STUCK_S)
    yield (
        f"the same with a reader that is stuck: {_words(stuck)}; it costs the engine "
        f"{stuck['grown_mb'] - alone['grown_mb']:+.2f} MB over {STUCK_S:g} s, "
        f"at most {stuck['peak_mb'] - alone['peak_mb']:+.2f} MB at a time"
    )
    ours, bare = _idle_mb(), _idle_mb("bare")
    yield f"{N_IDLE} idle connections cost the engine {ours:.1f} MB, bare ZeroMQ {bare:.1f} MB"


def _bytes() -> Iterator[str]:
    message = msgspec.structs.replace(
        estimate(), session="0123456789ab", seq=1234, time=1_800_000_000.25
    )
    for name, one in (("", message), (" without evidence", without_evidence(message))):
        n, begun = 20_000, time.perf_counter()
        for _ in range(n):
            frames = to_frames(one)
        each_us = 1e6 * (time.perf_counter() - begun) / n
        yield f"an estimate{name}: {len(frames[1])} bytes, encoded in {each_us:.1f} us"


def _words(figures: dict[str, float]) -> str:
    return (
        f"p50 {figures['p50']:.2f} ms, p99 {figures['p99']:.2f} ms from publish to receive, "
        f"{figures['lost']:.0f} of {figures['sent']:.0f} messages lost"
    )


def _measure(
    n_others: int,
    *,
    stuck: bool = False,
    seconds: float = SECONDS,
    per_s: int = PER_S,
    kind: str = "ours",
) -> dict[str, float]:
    """Latency seen by one reader in this process, beside others in a process of their own."""
    with _publisher(kind) as (pipe, address), zmq.Context() as context:
        reader = context.socket(zmq.SUB)
        reader.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/estimate/")
        reader.connect(address)
        others = _others(address, n_others) if n_others else None
        blocked = _stuck(context, address) if stuck else None
        pipe.send(("publish", (seconds, per_s)))
        lags: list[float] = []
        decode = msgspec.msgpack.Decoder(dict[str, Any]).decode
        while reader.poll(5000):
            _, payload = reader.recv_multipart()
            now, fields = time.time(), decode(payload)
            if not fields["replayed"]:
                lags.append(1000 * (now - fields["time"]))
        figures: dict[str, float] = pipe.recv()
        warm = len(lags) // 10
        figures |= {
            "p50": percentile(lags[warm:], 50),
            "p99": percentile(lags[warm:], 99),
            "lost": figures["sent"] - len(lags),
        }
        if others:
            others.terminate()
        if blocked:
            blocked.close(linger=0)
        reader.close(linger=0)
    return figures


def _idle_mb(kind: str = "ours") -> float:
    with _publisher(kind) as (pipe, address):
        pipe.send(("memory", 0))
        before = pipe.recv()
        others = _others(address, N_IDLE)
        pipe.send(("memory", N_IDLE))
        after = pipe.recv()
        others.terminate()
    return float(after - before)


@contextlib.contextmanager
def _publisher(kind: str = "ours") -> Iterator[tuple[Connection, str]]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_publish, args=[there, kind])
    process.start()
    try:
        yield here, here.recv()
    finally:
        here.send(("end", 0))
        process.join()


class _Bare:
    """A socket without anything of ours but the bytes."""

    def __init__(self) -> None:
        self._socket = zmq.Context.instance().socket(zmq.PUB)
        self._socket.bind("tcp://127.0.0.1:*")
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")
        self._files = _open_files()

    @property
    def readers(self) -> int:
        return _open_files() - self._files

    def __call__(self, message: Estimate) -> None:
        self._socket.send_multipart(to_frames(msgspec.structs.replace(message, time=time.time())))

    def close(self) -> None:
        self._socket.close(linger=0)


def _publish(pipe: Connection, kind: str) -> None:
    """A publisher in a process of its own, whose memory is nobody else's."""
    from mmgat.stream.bus.publisher import Publisher
    from mmgat.stream.settings import BusSettings

    _raise_file_limit()
    publisher = (
        _Bare()
        if kind == "bare"
        else Publisher("tcp://127.0.0.1:*", settings=BusSettings(max_readers=2 * N_IDLE))
    )
    messages = [estimate(f"source {n}") for n in range(N_SOURCES)]
    pipe.send(publisher.address)
    while True:
        command, value = pipe.recv()
        if command == "end":
            publisher.close()
            return
        if command == "memory":
            while publisher.readers < value:
                time.sleep(0.05)
            time.sleep(1.0)  # what came with the last of them is settled
            pipe.send(_resident_mb())
            continue
        time.sleep(1.0)
        for message in messages:
            publisher(message)
        before = peak = _resident_mb()
        n, begun = N_SOURCES, time.monotonic()
        seconds, per_s = value
        while (elapsed := time.monotonic() - begun) < seconds:
            due = round(elapsed * N_SOURCES * per_s) + N_SOURCES
            for k in range(n, due):
                publisher(messages[k % N_SOURCES])
            n = max(n, due)
            peak = max(peak, _resident_mb())
            time.sleep(0.002)
        time.sleep(1.0)
        after = _resident_mb()
        pipe.send({"sent": n, "grown_mb": after - before, "peak_mb": peak - before})


def _others(address: str, n: int) -> Any:
    """Readers in a process of their own, all connected when this returns."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_read, args=[there, address, n], daemon=True
    )
    process.start()
    here.recv()
    return process


def _read(pipe: Connection, address: str, n: int) -> None:
    _raise_file_limit()
    context = zmq.Context()
    context.max_sockets = n + 10
    poller, sockets = zmq.Poller(), []
    topic = b"mmgat/v2/" if n < N_IDLE else b"mmgat/v2/idle/"
    for _ in range(n):
        sock = context.socket(zmq.SUB)
        sock.setsockopt(zmq.SUBSCRIBE, topic)
        sock.connect(address)
        poller.register(sock, zmq.POLLIN)
        sockets.append(sock)
    pipe.send(True)
    while True:
        for sock, _ in poller.poll(1000):
            with contextlib.suppress(zmq.Again):
                while True:
                    sock.recv_multipart(zmq.NOBLOCK)


def _stuck(context: zmq.Context[Any], address: str) -> zmq.Socket[Any]:
    """A reader that never reads."""
    sock = context.socket(zmq.SUB)
    sock.setsockopt(zmq.RCVHWM, 1)
    sock.setsockopt(zmq.RCVBUF, 4096)
    sock.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/")
    sock.connect(address)
    return sock


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
