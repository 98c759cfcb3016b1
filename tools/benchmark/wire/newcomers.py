"""How soon a newcomer to the bus knows everything: hello, estimates, statuses, and late events."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import msgspec

from mmgat.stream.bus.messages import ModelInfo
from mmgat.stream.bus.protocol import Estimate, Event, Hello, Message, Status
from mmgat.stream.bus.replay import MAX_EVENTS
from mmgat.stream.bus.subscriber import Subscriber
from tools.benchmark.timing import percentile
from tools.benchmark.wire.bus import N_SOURCES, estimate

N_NEWCOMERS = 20
PER_S = 2
TIMEOUT_S = 20.0
MEAN_PAUSE_S = 0.3
"""Shorter than the second that the publisher lets pass between replays, so that most wait for one."""


def newcomers() -> Iterator[str]:
    """Newcomers one after another, beside live estimates of every source."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_publish, args=[there])
    process.start()
    address = here.recv()
    chance = random.Random(0)
    first, whole = [], []
    try:
        for _ in range(N_NEWCOMERS):
            time.sleep(chance.uniform(0, 2 * MEAN_PAUSE_S))
            for times, took_ms in zip((first, whole), _join(address), strict=True):
                times.append(took_ms)
    finally:
        here.send(None)
        process.join()
    yield (
        f"{N_NEWCOMERS} newcomers beside {N_SOURCES} sources: all knew the hello, an estimate and a "
        f"status of each source and {MAX_EVENTS} events after p50 {percentile(whole, 50):.0f} ms, "
        f"p95 {percentile(whole, 95):.0f} ms, at most {max(whole):.0f} ms (the hello after p50 "
        f"{percentile(first, 50):.0f} ms)"
    )


def _join(address: str) -> tuple[float, float]:
    """Milliseconds from subscribing to the hello, and to the last of all that is to be known.

    Raises:
        TimeoutError: something of it never comes.
    """
    begun = time.monotonic()
    lacking = {("hello", ""), *((kind, s) for kind in ("estimate", "status") for s in _sources())}
    lacking |= {("event", event.id) for event in _events()}
    hello_ms = 0.0
    with Subscriber(address) as reader:
        while lacking:
            left_s = begun + TIMEOUT_S - time.monotonic()
            message = reader.receive(left_s) if left_s > 0 else None
            if message is None:
                raise TimeoutError(f"expected what was missed, never got {sorted(lacking)[:5]}")
            lacking.discard(_key(message))
            if isinstance(message, Hello):
                hello_ms = 1000 * (time.monotonic() - begun)
    return hello_ms, 1000 * (time.monotonic() - begun)


def _key(message: Message) -> tuple[str, str]:
    match message:
        case Hello():
            return "hello", ""
        case Event():
            return "event", message.id
        case Estimate() | Status():
            return type(message).__name__.lower(), message.source
    return "", ""


def _sources() -> list[str]:
    return [f"source {n}" for n in range(N_SOURCES)]


def _events() -> list[Event]:
    """So many as are kept; the last one of each source is still on."""
    sources = _sources()
    return [
        Event(
            source=sources[n % N_SOURCES],
            event="on" if n >= MAX_EVENTS - N_SOURCES else "off",
            id=f"{n}", label="piano", time_s=n / 10, onset_s=n / 10, score=0.9,
        )
        for n in range(MAX_EVENTS)
    ]  # fmt: skip


def _publish(pipe: Connection) -> None:
    """A publisher in a process of its own that has a past, and goes on."""
    from mmgat.stream.bus.publisher import Publisher

    publisher = Publisher("tcp://127.0.0.1:*", lambda: [_status(source) for source in _sources()])
    publisher(_hello())
    for event in _events():
        publisher(event)
    estimates = [estimate(source) for source in _sources()]
    pipe.send(publisher.address)
    index = 0
    while not pipe.poll(1 / PER_S):
        for message in estimates:
            publisher(msgspec.structs.replace(message, index=index))
        index += 1
    publisher.close()


def _hello() -> Hello:
    return Hello(
        version="1",
        model=ModelInfo(
            name="compact", version="8", embedder="compact", variant="compact-3", thresholds={}
        ),
        labels=[],
        sources=[],
        hop_s=0.5,
        nodes=10,
    )


def _status(source: str) -> Status:
    counters: dict[str, Any] = dict.fromkeys(
        ("captured", "analysed", "dropped", "discarded", "queued", "windows", "xruns", "nonfinite",
         "clipped"), 0,
    )  # fmt: skip
    return Status(
        source=source, state="running", sample_rate_hz=48_000, lag_ms=10.0, real_time_factor=0.1,
        level_dbfs=-20.0, uptime_s=1.0, **counters,
    )  # fmt: skip
