"""How many channels run in real time, and how late their messages are: engines at real-time pace."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from tools.benchmark.hop import MANY
from tools.benchmark.live import random_vggish, use_random_vggish
from tools.benchmark.timing import RATE_HZ, percentile, sound

if TYPE_CHECKING:
    from mmgat.stream.audio.source import AudioSource
    from mmgat.stream.recognition.recognizer import Recognizer
    from mmgat.stream.settings import StreamSettings

SECONDS = 8.0
BLOCK_S = 0.01
MOST_PROCESSES = 16
MOST_TRIES = 5
BEHIND_MS = 1000.0
"""The hop: what is later than this falls behind."""

SPEED_STREAMS = 32
SPEED_HOPS = 4
PATIENCE_S = 120.0 * float(os.environ.get("PATIENCE", "1"))
"""For an engine's answer; loading torch and a device's libraries is part of the first."""


def many(compute: str = "cpu") -> Iterator[str]:
    """Last sample in -> message, with many channels of one device in one process."""
    recognizer, settings = _recognizer("compact", None, compute)
    lost, lags, _ = _run(MANY, recognizer, settings)
    yield (
        f"compact, {MANY} channels at hop 1: p50 {percentile(lags, 50):.1f} ms, p95 "
        f"{percentile(lags, 95):.1f} ms from the last sample to the message, {lost} samples lost "
        f"({recognizer.model.computes})"
    )


def streams(compute: str = "cpu", models: Sequence[str] = ("compact", "vggish")) -> Iterator[str]:
    """How many channels run in real time at hop 1 s, in an engine a processor: none lost or behind.

    The engines share the GPU, where there is one. The first try follows from the speed of all at once
    without a clock; an eighth more or less is tried until one keeps up and the next does not.
    """
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            weights = None
            if model == "vggish":
                random_vggish(Path(folder))
                weights = Path(folder)
            with _engines(
                min(os.cpu_count() or 1, MOST_PROCESSES), model, weights, compute
            ) as fleet:
                yield f"{model}: {_most(fleet)}"


def _most(fleet: list[Connection]) -> str:
    speeds = _ask(fleet, [("speed", 0)] * len(fleet))
    capacity = sum(1 / seconds for seconds, _ in speeds)
    where = speeds[0][1]
    good, told, n_channels, found = 0, "", max(1, int(0.8 * capacity)), []
    for _ in range(MOST_TRIES):
        tried = n_channels
        shares = [len(part) for part in np.array_split(np.arange(n_channels), len(fleet))]
        answers = _ask(fleet, [("run", share) for share in shares])
        lost = sum(answer[0] for answer in answers)
        lags = [lag for answer in answers for lag in answer[1]]
        late = percentile(lags, 95) if lags else np.inf
        keeps_up = not lost and late < BEHIND_MS
        found.append(keeps_up)
        if keeps_up:
            good = n_channels
            told = f"p95 {late:.0f} ms from the last sample to the message"
        if len(set(found)) == 2 or n_channels == 1:
            break
        n_channels = max(1, int(n_channels * (9 / 8 if keeps_up else 7 / 8)))
    warning = next((answer[2] for answer in answers if answer[2]), "")
    result = (
        f"{good} channels in real time in {len(fleet)} processes, {told}"
        if good
        else (f"fewer than {tried} channels in real time in {len(fleet)} processes")
    )
    return f"{result}; {capacity:.0f} without a clock ({warning or where})"


@contextmanager
def _engines(
    n_processes: int, model: str, weights: Path | None, compute: str
) -> Iterator[list[Connection]]:
    """Processes that each run an engine when they are asked."""
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(n_processes)]
    processes = [
        context.Process(target=_serve, args=(theirs, model, weights, compute), daemon=True)
        for _, theirs in pairs
    ]
    for process in processes:
        process.start()
    try:
        yield [ours for ours, _ in pairs]
    finally:
        for ours, _ in pairs:
            ours.close()
        for process in processes:
            process.terminate()
            process.join()


def _ask(fleet: list[Connection], requests: list[tuple[str, int]]) -> list[Any]:
    """Asks all at once. Engines get ready first and then start together."""
    for step in (requests, [("go", 0)] * len(fleet)):
        for engine, request in zip(fleet, step, strict=True):
            engine.send(request)
        answers = []
        for engine in fleet:
            if not engine.poll(PATIENCE_S):
                raise click.ClickException(f"expected an engine's answer in {PATIENCE_S:g} s")
            answers.append(engine.recv())
    return answers


def _serve(connection: Connection, model: str, weights: Path | None, compute: str) -> None:
    """Answers until the other end is closed."""
    recognizer, settings = _recognizer(model, weights, compute)
    with suppress(EOFError, OSError):
        while True:
            what, n_channels = connection.recv()
            recognizer.warm_up(n_channels or SPEED_STREAMS)
            connection.send("ready")
            connection.recv()
            if what == "speed":
                connection.send((_seconds_a_hop(recognizer, settings), recognizer.model.computes))
            else:
                connection.send(
                    _run(n_channels, recognizer, settings) if n_channels else (0, [], "")
                )


def _recognizer(
    model: str, weights: Path | None, compute: str
) -> tuple[Recognizer, StreamSettings]:
    from mmgat.model.threads import limit_threads
    from mmgat.stream.recognition.recognizer import load_recognizer
    from mmgat.stream.settings import StreamSettings

    settings = StreamSettings(hop_s=1.0)
    file = use_random_vggish(weights) if weights else None
    recognizer = load_recognizer(model, settings, compute, file)
    limit_threads(recognizer.model.embedder)
    return recognizer, settings


def _seconds_a_hop(recognizer: Recognizer, settings: StreamSettings) -> float:
    """Seconds that a stream's hop takes when nothing waits for a clock."""
    from mmgat.stream.audio.source import Block
    from mmgat.stream.recognition.pipeline import Pipeline, recognize_batch

    pipelines = [Pipeline(recognizer, str(n), RATE_HZ, settings) for n in range(SPEED_STREAMS)]
    second, size = sound(1.0)[:, None], RATE_HZ // 10
    begun = time.perf_counter()
    for n in range(1 + SPEED_HOPS):
        if n == 1:  # the first one warms the caches
            begun = time.perf_counter()
        for first in range(0, RATE_HZ, size):
            for pipeline in pipelines:
                block = Block(n * RATE_HZ + first, second[first : first + size], 0.0)
                pipeline.push(block)
        recognize_batch(recognizer, pipelines)
        for pipeline in pipelines:
            pipeline.drain()
    return (time.perf_counter() - begun) / SPEED_HOPS / SPEED_STREAMS


def _run(
    n_channels: int, recognizer: Recognizer, settings: StreamSettings
) -> tuple[int, list[float], str]:
    """Samples lost, the lag of every message in ms, and what has failed in words."""
    from mmgat.stream.audio.inputs import Input
    from mmgat.stream.bus.protocol import Estimate, Message
    from mmgat.stream.engine.engine import Engine

    lags: list[float] = []

    def note(message: Message) -> None:
        if isinstance(message, Estimate) and not message.partial and message.index:
            lags.append(message.latency_ms)

    split = tuple(range(1, n_channels + 1))
    source = _channels(n_channels)
    engine = Engine([Input(source, split_channels=split)], recognizer, [note], settings)
    recognizer.warm_up(n_channels)
    engine.start()
    engine.wait()
    dropped = sum(account.dropped for account in engine.accounts.values())
    return dropped, lags, recognizer.warning


def _channels(n_channels: int) -> AudioSource:
    """A device of so many channels, at 48 kHz and at real-time pace."""
    from mmgat.stream.audio.source import AudioSource, Block

    class Channels(AudioSource):
        live = True

        def probe(self) -> None: ...

        def open(self) -> None:
            second = sound(1.0)
            shifts = np.linspace(0, RATE_HZ, n_channels, endpoint=False).astype(int)
            self._second = np.stack([np.roll(second, shift) for shift in shifts], 1)
            self._position, self._began = 0, time.monotonic()

        def read(self) -> Block | None:
            frames = round(RATE_HZ * BLOCK_S)
            position, self._position = self._position, self._position + frames
            if position >= SECONDS * RATE_HZ:
                return None
            start = position % RATE_HZ
            due = self._began + self._position / RATE_HZ
            time.sleep(max(0.0, due - time.monotonic()))
            return Block(position, self._second[start : start + frames], due)

        def stop(self) -> None: ...

        def close(self) -> None: ...

    return Channels("channels", "device", RATE_HZ, n_channels)
