"""The live path's figures: medians, 95th percentiles and ratios, measured side by side in one run.

    python -m tools.benchmark              all of it, about three minutes
    python -m tools.benchmark stages start one or more of: stages, graph, latency, streams, file,
                                           start
    YAMNET_TFLITE=yamnet.tflite python -m tools.benchmark yamnet    beside Google's tagger

Absolute times depend on the machine and on what else it does; the ratios hardly do.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import soundfile
import zmq

if TYPE_CHECKING:
    from torch import Tensor

    from model.mmgat import MMGAT
    from stream.front_end import FrontEnd
    from stream.recognizer import Recognizer
    from stream.settings import StreamSettings
    from stream.sources import AudioSource
    from stream.windows import Window

RATE_HZ = 48_000
REPEATS = 300
LATENCY_S = 40.0
STRETCH = 20
"""Windows one after another, as of a file or of many inputs: the weights stay in the caches."""


def percentile(values: list[float], share: float) -> float:
    return float(np.percentile(values, share))


def side_by_side(
    ours: Callable[[], object], theirs: Callable[[], object], stretch: int = 1
) -> tuple[float, float]:
    """Median milliseconds of both, after a warm-up, ``stretch`` runs of each in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(REPEATS // stretch + 3):
        for runs, function in zip(times, (ours, theirs), strict=True):
            for _ in range(stretch):
                begun = time.perf_counter()
                function()
                if turn >= 3:
                    runs.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times[0]), statistics.median(times[1])


def alone(function: Callable[[], object]) -> float:
    """Median milliseconds, after a warm-up."""
    return side_by_side(function, lambda: None)[0]


def sound(seconds: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Tones and noise, float32 [n]."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    tones = sum(np.sin(2 * np.pi * f * t * (1 + 0.001 * np.sin(t))) for f in (220, 331, 557))
    noise = np.random.default_rng(0).normal(0, 0.05, len(t))
    return (0.2 * tones + noise).astype(np.float32)


def stages() -> Iterator[str]:
    """Front end against torchvggish, resampler against resampy."""
    import resampy
    from torchvggish.vggish_input import waveform_to_examples

    from stream.front_end import FrontEnd
    from stream.resampler import MonoResampler
    from stream.windows import HEARD_SAMPLES, Window

    second = sound(1.0, 16_000)[:HEARD_SAMPLES]
    for hop_s in (0.25, 0.5, 1.0):
        front_end, starts = FrontEnd(), itertools.count(0, round(16_000 * hop_s))
        ours, theirs = side_by_side(
            partial(_front_end_step, front_end, starts, Window(0, 0, second)),
            lambda: waveform_to_examples(second.astype(np.float64), 16_000),
        )
        yield (
            f"front end, a window at hop {hop_s:g}: {ours:.2f} ms, torchvggish {theirs:.2f}: "
            f"x{theirs / ours:.1f}"
        )
    samples, resample = sound(1.0)[:, None], MonoResampler(RATE_HZ)
    ours, theirs = side_by_side(
        lambda: resample(samples), lambda: resampy.resample(samples[:, 0], RATE_HZ, 16_000)
    )
    yield f"1 s from 48 to 16 kHz: {ours:.2f} ms, resampy {theirs:.2f}: x{theirs / ours:.1f}"


def _front_end_step(front_end: FrontEnd, starts: Iterator[int], window: Window) -> None:
    front_end(replace(window, start=next(starts)))


def graph() -> Iterator[str]:
    """One graph of 10 and of 60 seconds through MMGAT, on one thread."""
    import torch

    from model.checkpoint import load_checkpoint

    torch.set_num_threads(1)
    mmgat = load_checkpoint("vggish").mmgat
    with torch.inference_mode():
        labels = mmgat.label_vectors()
        for n_nodes in (10, 60):
            rows = torch.randn(1, n_nodes, mmgat.config.input_size)
            run = partial(_read, mmgat, rows, labels)
            yield f"MMGAT, {n_nodes} nodes: {alone(run):.2f} ms"


def _read(mmgat: MMGAT, rows: Tensor, label_vectors: tuple[Tensor, Tensor]) -> Tensor:
    _, logits, attention = mmgat.instances(mmgat.graph(rows), label_vectors)
    return attention * logits.sigmoid()


def latency() -> Iterator[str]:
    """Last sample of a window in -> message received on a TCP socket, at real-time pace."""
    yield f"compact, latency to the socket: {_latency('compact', None)}"
    with tempfile.TemporaryDirectory() as folder:
        yield f"vggish (random weights), latency to the socket: {_latency('vggish', Path(folder))}"


def _latency(model: str, weights: Path | None) -> str:
    from stream.engine import Engine
    from stream.inputs import Input
    from stream.publisher import Publisher
    from stream.recognizer import load_recognizer
    from stream.settings import StreamSettings
    from stream.sources import Block, FileSource

    class Timed(FileSource):
        """Notes when its first sample was due."""

        began = 0.0

        def read(self) -> Block | None:
            block = super().read()
            if block is not None and block.position == 0:
                self.began = block.captured_at - block.end / self.sample_rate_hz
            return block

    settings = StreamSettings()
    if weights is not None:
        weights = _random_vggish(weights)
    recognizer, _ = load_recognizer(model, settings, "cpu", weights)
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        soundfile.write(file.name, sound(LATENCY_S), RATE_HZ)
        source = Timed(Path(file.name), paced=True)
        source.probe()
        publisher = Publisher("tcp://127.0.0.1:*")
        received: dict[int, float] = {}

        def subscribe() -> None:
            from stream.protocol import Estimate, from_frames

            with zmq.Context() as context, context.socket(zmq.SUB) as socket:
                socket.setsockopt(zmq.SUBSCRIBE, b"mmgat/v1/estimate/")
                socket.connect(publisher.address)
                while socket.poll(5_000):
                    frames, now = socket.recv_multipart(), time.monotonic()
                    message = from_frames(frames)
                    if isinstance(message, Estimate) and not message.partial:
                        received[message.index] = now - message.t1

        subscriber = threading.Thread(target=subscribe)
        subscriber.start()
        engine = Engine([Input(source)], recognizer, [publisher], settings)
        engine.start()
        engine.wait()
        subscriber.join()
        publisher.close()
    # The first windows warm the caches; the last comes with the end of the file.
    lags = [1000 * (when - source.began) for index, when in sorted(received.items())[4:-1]]
    return (
        f"p50 {percentile(lags, 50):.1f} ms, p95 {percentile(lags, 95):.1f} ms after the window's "
        f"end, 25 ms more after the last sample heard; {len(lags)} windows at hop 0.5, "
        f"{engine.accounts[source.name].dropped} samples dropped"
    )


STREAMS_S = 12.0
CHANNEL_BLOCK_S = 0.01


def streams() -> Iterator[str]:
    """How many channels of one device run in real time at hop 1 s: none lost, none behind."""
    with tempfile.TemporaryDirectory() as folder:
        for model, weights in (("compact", None), ("vggish", _random_vggish(Path(folder)))):
            yield f"{model}: {_most_streams(model, weights)}"


def _most_streams(model: str, weights: Path | None) -> str:
    """By doubling and then halving the step, to within an eighth."""
    from stream.recognizer import load_recognizer
    from stream.settings import StreamSettings

    settings = StreamSettings(hop_s=1.0)
    recognizer, where = load_recognizer(model, settings, "cpu", weights)
    good, step, rising = 0, 4, True
    told = ""
    while rising or step >= max(1, good // 8):
        lost, lag_ms, rtf = _try_streams(good + step, recognizer, settings)
        if keeps_up := not lost and lag_ms < 1000:
            good += step
            told = (
                f"{good} channels in real time, p95 lag {lag_ms:.0f} ms, real-time factor {rtf:.2f}"
            )
        rising = rising and keeps_up
        step = 2 * step if rising else step // 2
        if not step:
            break
    return f"{told} ({where})"


def _try_streams(
    n_channels: int, recognizer: Recognizer, settings: StreamSettings
) -> tuple[int, float, float]:
    """Samples lost, 95th percentile of the lag in ms, and the last real-time factor."""
    from stream.engine import Engine
    from stream.inputs import Input
    from stream.protocol import Estimate, Message

    lags: list[float] = []

    def note(message: Message) -> None:
        if isinstance(message, Estimate) and not message.partial and message.index:
            lags.append(message.latency_ms)

    source = _channels(n_channels)
    split = tuple(range(1, n_channels + 1))
    engine = Engine([Input(source, split=split)], recognizer, [note], settings)
    engine.start()
    engine.wait()
    dropped = sum(account.dropped for account in engine.accounts.values())
    return dropped, percentile(lags, 95), engine.statuses()[0].real_time_factor


def _channels(n_channels: int) -> AudioSource:
    """A device of so many channels, at 48 kHz and at real-time pace."""
    from stream.sources import AudioSource, Block

    class Channels(AudioSource):
        kind, live = "device", True

        def probe(self) -> None: ...

        def open(self) -> None:
            second = sound(1.0)
            shifts = np.linspace(0, RATE_HZ, n_channels, endpoint=False).astype(int)
            self._second = np.stack([np.roll(second, shift) for shift in shifts], 1)
            self._position, self._began = 0, time.monotonic()

        def read(self) -> Block | None:
            frames = round(RATE_HZ * CHANNEL_BLOCK_S)
            position, self._position = self._position, self._position + frames
            if position >= STREAMS_S * RATE_HZ:
                return None
            start = position % RATE_HZ
            due = self._began + self._position / RATE_HZ
            time.sleep(max(0.0, due - time.monotonic()))
            return Block(position, self._second[start : start + frames], due)

        def stop(self) -> None: ...

        def close(self) -> None: ...

    source = Channels("channels")
    source.sample_rate_hz, source.channels = RATE_HZ, n_channels
    return source


def _random_vggish(folder: Path) -> Path:
    """Random weights in the published form; enough to time the network."""
    import hashlib

    import torch

    import model.vggish as vggish

    torch.manual_seed(0)
    state = vggish.VGGishEmbedder().state_dict()
    pca = {name: state.pop(name).numpy() for name in ("pca_eigen_vectors", "pca_means")}
    torch.save(state, folder / "vggish.pth")
    torch.save(pca, folder / "pca.pth")
    digits = hashlib.sha256((folder / "pca.pth").read_bytes()).hexdigest()[:8]
    vggish.PCA_FILE = f"vggish_pca_params-{digits}.pth"  # type: ignore[misc]
    (folder / "pca.pth").rename(folder / vggish.PCA_FILE)
    return folder / "vggish.pth"


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "stream.cli", *arguments]


CHILD = """
import json, resource, subprocess, sys, time
begun = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
process.stdout.readline()
first = time.perf_counter() - begun
process.stdout.read()
process.wait()
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps([time.perf_counter() - begun, first, peak]))
"""
"""Runs a command from a small process: a child's peak memory counts from its parent's size on."""


def file() -> Iterator[str]:
    """A 60-s file at full speed, when its first estimate comes, and the memory it takes."""
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for seconds in (1, 61):
            clip = Path(folder) / f"{seconds}.wav"
            soundfile.write(clip, sound(seconds), RATE_HZ)
            command = _command("--file", str(clip), "--speed", "max", "--jsonl", "-")
            command += ["--publish", "tcp://127.0.0.1:*"]
            runs = [
                json.loads(subprocess.check_output([sys.executable, "-c", CHILD, *command]))
                for _ in range(3)
            ]
            figures[seconds] = np.median(runs, axis=0)
    yield f"60 s of a file at full speed, after start-up: {figures[61][0] - figures[1][0]:.2f} s"
    yield f"first estimate after process start: {figures[61][1]:.2f} s"
    yield f"peak resident memory, compact: {figures[61][2]:.0f} MiB"


def start() -> Iterator[str]:
    """How soon the commands answer."""
    for arguments in (["--help"], ["--list-devices"]):
        runs = []
        for _ in range(7):
            begun = time.perf_counter()
            subprocess.run(_command(*arguments), capture_output=True, check=False)
            runs.append(time.perf_counter() - begun)
        yield f"mmgat-stream {arguments[0]}: {statistics.median(runs):.2f} s"


def yamnet() -> Iterator[str]:
    """One window through front end, embedder and MMGAT beside YAMNet's TensorFlow Lite."""
    from ai_edge_litert.interpreter import Interpreter

    from stream.recognizer import load_recognizer
    from stream.windows import HEARD_SAMPLES, Window

    path = os.environ.get("YAMNET_TFLITE", "yamnet.tflite")
    if not Path(path).is_file():
        raise click.ClickException(f"expected YAMNet in $YAMNET_TFLITE, found no file {path!r}")
    net = Interpreter(path, num_threads=1)
    net.allocate_tensors()
    into, out = net.get_input_details()[0]["index"], net.get_output_details()[0]["index"]
    second = sound(1.0, 16_000)[:HEARD_SAMPLES]
    recognizer, _ = load_recognizer("compact")  # on one thread
    memory, starts = recognizer.memory(), itertools.count(0, 16_000)

    def theirs() -> np.ndarray:
        net.set_tensor(into, second[None])
        net.invoke()
        return net.get_tensor(out).copy()

    for _ in range(12):
        recognizer([(memory, Window(0, next(starts), second))])
    for stretch, turns in ((1, "a window each in turns"), (STRETCH, f"{STRETCH} each in turns")):
        ours_ms, theirs_ms = side_by_side(
            lambda: recognizer([(memory, Window(0, next(starts), second))]), theirs, stretch
        )
        yield (
            f"a window through compact, 10 nodes: {ours_ms:.2f} ms, YAMNet {theirs_ms:.2f}: "
            f"x{theirs_ms / ours_ms:.2f} ({turns})"
        )


PARTS = {
    "stages": stages, "graph": graph, "latency": latency, "streams": streams, "file": file,
    "start": start, "yamnet": yamnet,
}  # fmt: skip


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
def main(parts: tuple[str, ...]) -> None:
    """Measure PARTS of the live path (by default all that need no other file)."""
    for part in parts or [part for part in PARTS if part != "yamnet"]:
        for line in PARTS[part]():
            click.echo(line)


if __name__ == "__main__":
    main()
