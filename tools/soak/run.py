"""One run of the soak: the engine on a scripted device, witnessed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import zmq

from mmgat.stream.audio.inputs import Input
from mmgat.stream.audio.reconnect import ReconnectingSource
from mmgat.stream.audio.source import Block
from mmgat.stream.bus.protocol import Event, Message, Status
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.engine.block_queue import SampleAccount
from mmgat.stream.engine.engine import Engine
from mmgat.stream.settings import StreamSettings
from tools.soak.device import BLOCK_S, HANG_S, Clock, Fault, ScriptedDevice
from tools.soak.witness import HOP_S, NODES, SETTLING_S, Reader, Witness

if TYPE_CHECKING:
    from mmgat.stream.recognition.recognizer import Recognizer

MEMORY_S: Final = 600.0
WARM_S: Final = 10.0
LOOK_S: Final = 10.0
"""Threads and files are counted so often (seconds of audio), from a little after the start on."""

MAX_GROWTH_MB: Final = 60.0
MAX_SLOPE_MB: Final = 20.0
"""In 24 hours of audio; judged on runs of four hours and more."""

SLOPE_SAMPLES: Final = 24
SETTINGS: Final = StreamSettings(hop_s=HOP_S, nodes=NODES)


@dataclass(frozen=True)
class Outcome:
    """What a run showed.

    Attributes:
        statuses: the last, one a channel.
        account: of the samples of all channels together.
        audio_s, real_s: how long it was, all channels added up, and how long it took.
        memory_mb: resident memory, MB, every ten minutes of the clock.
        n_threads, n_files: after warming up, and at the end.
        n_events: begun and ended, all channels together.
        n_compared: estimates whose scores were compared with those of a minute before.
        broken: the facts that do not hold, in words; none in a good run.
    """

    statuses: list[Status]
    account: SampleAccount
    audio_s: float
    real_s: float
    memory_mb: list[float]
    n_threads: tuple[int, int]
    n_files: tuple[int, int]
    n_events: int
    n_compared: int
    broken: list[str]

    @property
    def status(self) -> Status:
        """Of the first channel."""
        return self.statuses[0]

    @property
    def memory_slope(self) -> float:
        """MB per 24 hours of audio, by least squares over all but the first quarter."""
        kept = self.memory_mb[len(self.memory_mb) // 4 :]
        if len(kept) < 2:
            return 0.0
        hours_apart = self.audio_s / 3600 / len(self.memory_mb)
        return 24 / hours_apart * float(np.polyfit(range(len(kept)), kept, 1)[0])


class _Resources:
    """Memory, threads and files over the run."""

    def __init__(self) -> None:
        self.memory_mb: list[float] = []
        self._held: list[tuple[int, int]] = []  # threads and files: the first and the last
        self._next_look_s = WARM_S

    def look(self, now: float, count: bool) -> None:
        if now >= MEMORY_S * len(self.memory_mb):
            self.memory_mb.append(_resident_mb())
        if now >= self._next_look_s and count:
            self._next_look_s = now + LOOK_S
            held = (threading.active_count(), _open_files())
            self._held[:] = [self._held[0] if self._held else held, held]

    def first_and_last(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Threads, and files; zeros if the device was away from the beginning to the end."""
        first, last = self._held or [(0, 0), (0, 0)]
        return (first[0], last[0]), (first[1], last[1])

    def facts(self) -> Iterator[str]:
        threads, files = self.first_and_last()
        if threads[0] != threads[1]:
            yield f"threads: {threads[0]} became {threads[1]}"
        if files[0] < files[1]:
            yield f"files: {files[0]} became {files[1]}"
        if (grown := _resident_mb() - self.memory_mb[0]) > MAX_GROWTH_MB:
            yield f"memory grew by {grown:.0f} MB"


def soak(
    faults: Sequence[Fault], seconds: float, recognizer: Recognizer, channels: int = 1
) -> Outcome:
    """Runs the engine on a device with these faults; one subscriber reads, and one never does.

    Raises:
        TimeoutError: the engine hangs.
    """
    clock = Clock()
    device = ScriptedDevice(faults, seconds, clock, channels, SETTLING_S)
    source = ReconnectingSource(device, clock=clock, pause=clock.advance)
    source.probe()
    progress = [time.monotonic()]
    resources, reader, n_events = _Resources(), Reader(), [0]
    witnesses: dict[str, Witness] = {}
    ledger = device.ledger

    def watch(message: Message) -> None:
        progress[0] = time.monotonic()
        resources.look(clock.now, count=not device.ended)  # at the end a thread may be gone
        n_events[0] += isinstance(message, Event)
        witnesses[message.source].on_message(message)  # type: ignore[attr-defined]

    def publish(message: Message) -> None:
        publisher(message)

    def take(stream: str, rate_hz: int, live: bool, block: Block) -> None:
        witnesses[stream].on_block(block)
        seen = min(witness.seen for witness in witnesses.values())
        for position in [position for position in list(ledger.blocks) if position < seen]:
            del ledger.blocks[position]
        if not any(account.queued for account in engine.accounts.values()):
            device.taken.set()

    inputs = [Input(source, split_channels=tuple(range(1, channels + 1)))]
    engine = Engine(inputs, recognizer, [publish, watch], SETTINGS, [take], clock)
    publisher = Publisher("tcp://127.0.0.1:*", engine.statuses)
    for channel, name in enumerate(engine.accounts):
        witnesses[name] = Witness(ledger, channel, exact=not device.is_slow)
    begun = time.monotonic()
    with (
        zmq.Context() as context,
        context.socket(zmq.SUB) as stuck,
        context.socket(zmq.SUB) as live,
    ):
        _connect(stuck, publisher.address, high_water_mark=1)
        _connect(live, publisher.address, high_water_mark=0)
        live.poll(round(1000 * HANG_S))  # a status says that the subscription is known
        engine.start()
        while not engine.wait(0.05):
            _drain(live, reader)
            over = device.ended or clock.now > seconds + BLOCK_S  # away at its end
            if over and not any(account.queued for account in engine.accounts.values()):
                engine.stop()
            if time.monotonic() - max(progress[0], begun) > HANG_S:
                raise TimeoutError(f"nothing for {HANG_S:g} s at {clock.now:.1f} s of audio")
        ended_at = clock.now
        publisher.close()
        while live.poll(500):
            _drain(live, reader)
    if engine.error:
        raise engine.error
    statuses = engine.statuses()
    n_estimates = sum(witness.n_estimates for witness in witnesses.values())
    account = SampleAccount(*np.sum([astuple(one) for one in engine.accounts.values()], axis=0))
    threads, files = resources.first_and_last()
    broken = [
        *(
            f"{status.source}: {fact}"
            for status in statuses
            for fact in witnesses[status.source].facts_at_end(status, device, ended_at)
        ),
        *reader.facts_at_end(n_estimates, n_events[0]),
        *resources.facts(),
    ]
    outcome = Outcome(
        statuses=statuses,
        account=account,
        audio_s=channels * clock.now,
        real_s=time.monotonic() - begun,
        memory_mb=resources.memory_mb,
        n_threads=threads,
        n_files=files,
        n_events=n_events[0],
        n_compared=sum(witness.n_compared for witness in witnesses.values()),
        broken=broken,
    )
    if len(outcome.memory_mb) >= SLOPE_SAMPLES and outcome.memory_slope > MAX_SLOPE_MB:
        broken.append(f"memory grows by {outcome.memory_slope:.0f} MB in 24 hours of audio")
    return outcome


def _connect(subscriber: zmq.Socket[bytes], address: str, high_water_mark: int) -> None:
    subscriber.setsockopt(zmq.RCVHWM, high_water_mark)
    subscriber.setsockopt(zmq.LINGER, 0)
    subscriber.setsockopt(zmq.SUBSCRIBE, b"")
    subscriber.connect(address)


def _drain(subscriber: zmq.Socket[bytes], reader: Reader) -> None:
    while subscriber.poll(0):
        reader.on_frames(subscriber.recv_multipart())


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))
