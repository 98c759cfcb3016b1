"""The engine at real-time pace: latency to the socket, and how many streams keep up."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
import zmq

from tools.benchmark.timing import RATE_HZ, percentile, sound

if TYPE_CHECKING:
    from mmgat.stream.audio.source import AudioSource
    from mmgat.stream.recognition.recognizer import Recognizer
    from mmgat.stream.settings import StreamSettings

LATENCY_S = 40.0
STREAMS_S = 12.0
CHANNEL_BLOCK_S = 0.01
MANY = 64
PROFILED = (
    "pipeline.push", "resampler.__call__", "meter.push", "windows.push", "front_end.__call__",
    "onnx.__call__", "resident.advance", "pipeline.complete", "event_detector.update",
)  # fmt: skip
"""What stands in the profile, from the audio to the messages; a part contains those it calls."""


def latency(compute: str = "cpu") -> Iterator[str]:
    """Last sample of a window in -> message received on a TCP socket, at real-time pace."""
    yield from release()
    yield f"compact, latency to the socket: {_latency('compact', None, compute)}"
    with tempfile.TemporaryDirectory() as folder:
        vggish = _latency("vggish", Path(folder), compute)
        yield f"vggish (random weights), latency to the socket: {vggish}"


def release() -> Iterator[str]:
    """How much sound has come after a window's end when it is recognised; no clock is in it."""
    from mmgat.stream.audio.file import LIVE_BLOCK_S
    from mmgat.stream.audio.source import Block
    from mmgat.stream.recognition.pipeline import Pipeline, recognize_batch
    from mmgat.stream.recognition.recognizer import load_recognizer
    from mmgat.stream.settings import StreamSettings

    settings = StreamSettings()
    recognizer = load_recognizer("compact", settings, "cpu")
    for rate_hz in (44_100, 48_000):
        pipeline = Pipeline(recognizer, "release", rate_hz, settings, live=True)
        frames = np.zeros((round(LIVE_BLOCK_S * rate_hz), 1), np.float32)
        waits, end = [], 0
        while end < LATENCY_S * rate_hz:
            pipeline.push(Block(end, frames, 0.0))
            end += len(frames)
            if (window := pipeline.window()) is not None:
                waits.append(1000 * (end / rate_hz - window.heard_until_s))
                recognize_batch(recognizer, [pipeline])
        yield (
            f"compact at {rate_hz} Hz, {1000 * LIVE_BLOCK_S:g} ms a block: a window is complete "
            f"{percentile(waits, 50):.1f} ms of sound after its end, p95 {percentile(waits, 95):.1f} ms"
        )


def _latency(model: str, weights: Path | None, compute: str) -> str:
    from mmgat.stream.audio.inputs import Input
    from mmgat.stream.bus.publisher import Publisher
    from mmgat.stream.engine.engine import Engine
    from mmgat.stream.recognition.recognizer import load_recognizer
    from mmgat.stream.settings import StreamSettings

    settings = StreamSettings()
    if weights is not None:
        weights = random_vggish(weights)
    recognizer = load_recognizer(model, settings, compute, weights)
    recognizer.warm_up(1)
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        soundfile.write(file.name, sound(LATENCY_S), RATE_HZ)
        source = timed_file(Path(file.name))
        publisher = Publisher("tcp://127.0.0.1:*")
        received: dict[int, float] = {}

        def subscribe() -> None:
            from mmgat.stream.bus.protocol import Estimate, from_frames

            with zmq.Context() as context, context.socket(zmq.SUB) as socket:
                socket.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/estimate/")
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


def timed_file(path: Path) -> Any:
    """A file at real-time pace whose ``began`` is when its first sample was due, monotonic seconds."""
    from mmgat.stream.audio.file import FileSource
    from mmgat.stream.audio.source import Block

    class Timed(FileSource):
        began = 0.0

        def read(self) -> Block | None:
            block = super().read()
            if block is not None and block.position == 0:
                self.began = block.captured_at - block.end / self.sample_rate_hz
            return block

    source = Timed(path, paced=True)
    source.probe()
    return source


def many(compute: str = "cpu") -> Iterator[str]:
    """Last sample in -> message, with many channels of one device."""
    from mmgat.model.backends.threads import limit_threads
    from mmgat.stream.recognition.recognizer import load_recognizer
    from mmgat.stream.settings import StreamSettings

    settings = StreamSettings(hop_s=1.0)
    recognizer = load_recognizer("compact", settings, compute)
    limit_threads(recognizer.model.embedder)
    lost, lag_ms, _ = _try_streams(MANY, recognizer, settings)
    yield (
        f"compact, {MANY} channels at hop 1: p95 {lag_ms:.1f} ms from the last sample to the "
        f"message, {lost} samples lost ({recognizer.model.computes})"
    )


def profile(compute: str = "cpu") -> Iterator[str]:
    """Where the processor's time of a window goes, with many channels in one process."""
    import cProfile
    import pstats

    from mmgat.model.backends.threads import limit_threads
    from mmgat.stream.audio.source import Block
    from mmgat.stream.recognition.pipeline import Pipeline, recognize_batch
    from mmgat.stream.recognition.recognizer import load_recognizer
    from mmgat.stream.settings import StreamSettings

    settings = StreamSettings(hop_s=1.0)
    recognizer = load_recognizer("compact", settings, compute)
    limit_threads(recognizer.model.embedder)
    recognizer.warm_up(MANY)
    pipelines = [Pipeline(recognizer, str(n), RATE_HZ, settings) for n in range(MANY)]
    second, n_seconds = sound(1.0)[:, None], 8
    profiler = cProfile.Profile(time.process_time)
    profiler.enable()
    for n in range(n_seconds):
        for pipeline in pipelines:
            pipeline.push(Block(n * RATE_HZ, second, float(n)))
        recognize_batch(recognizer, pipelines)
    profiler.disable()
    stats = pstats.Stats(profiler)
    n_windows = sum(pipeline.n_windows for pipeline in pipelines)
    spent: dict[str, float] = {}
    for (file, _, function), (*_, total, _) in stats.stats.items():  # type: ignore[attr-defined]
        spent[f"{Path(file).stem}.{function}"] = (
            spent.get(f"{Path(file).stem}.{function}", 0) + total
        )
    whole = stats.total_tt  # type: ignore[attr-defined]
    yield f"{MANY} channels, {n_windows} windows: {1000 * whole / n_windows:.2f} ms a window"
    for part in PROFILED:
        share = spent.get(part, 0.0)
        yield f"  {part}: {1000 * share / n_windows:.3f} ms, {share / whole:.0%}"


def streams(compute: str = "cpu") -> Iterator[str]:
    """How many channels of one device run in real time at hop 1 s: none lost, none behind."""
    with tempfile.TemporaryDirectory() as folder:
        for model, weights in (("compact", None), ("vggish", random_vggish(Path(folder)))):
            yield f"{model}: {_most_streams(model, weights, compute)}"


def _most_streams(model: str, weights: Path | None, compute: str) -> str:
    """By doubling and then halving the step, to within an eighth."""
    from mmgat.model.backends.threads import limit_threads
    from mmgat.stream.recognition.recognizer import load_recognizer
    from mmgat.stream.settings import StreamSettings

    settings = StreamSettings(hop_s=1.0)
    recognizer = load_recognizer(model, settings, compute, weights)
    limit_threads(recognizer.model.embedder)
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
    return f"{told} ({recognizer.model.computes})"


def _try_streams(
    n_channels: int, recognizer: Recognizer, settings: StreamSettings
) -> tuple[int, float, float]:
    """Samples lost, 95th percentile of the lag in ms, and the last real-time factor."""
    from mmgat.stream.audio.inputs import Input
    from mmgat.stream.bus.protocol import Estimate, Message
    from mmgat.stream.engine.engine import Engine

    lags: list[float] = []

    def note(message: Message) -> None:
        if isinstance(message, Estimate) and not message.partial and message.index:
            lags.append(message.latency_ms)

    source = _channels(n_channels)
    split = tuple(range(1, n_channels + 1))
    engine = Engine([Input(source, split_channels=split)], recognizer, [note], settings)
    recognizer.warm_up(n_channels)
    engine.start()
    engine.wait()
    dropped = sum(account.dropped for account in engine.accounts.values())
    return dropped, percentile(lags, 95), engine.statuses()[0].real_time_factor


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

    return Channels("channels", "device", RATE_HZ, n_channels)


def random_vggish(folder: Path) -> Path:
    """Random weights in the published form; enough to time the network."""
    import hashlib

    import torch

    import mmgat.model.embedders.vggish as vggish

    os.environ["XDG_CACHE_HOME"] = str(folder)  # where it is converted to 8 bits
    torch.manual_seed(0)
    network = vggish.VGGishEmbedder()
    for layer in (*network.features, *network.embeddings):
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(layer.weight)  # what goes in comes out as large
    with torch.no_grad():
        network.embeddings[4].weight *= 0.1
    state = network.state_dict()
    pca = {name: state.pop(name).numpy() for name in ("pca_eigen_vectors", "pca_means")}
    torch.save(state, folder / "vggish.pth")
    torch.save(pca, folder / "pca.pth")
    digits = hashlib.sha256((folder / "pca.pth").read_bytes()).hexdigest()[:8]
    vggish.PCA_FILE = f"vggish_pca_params-{digits}.pth"  # type: ignore[misc]
    (folder / "pca.pth").rename(folder / vggish.PCA_FILE)
    return folder / "vggish.pth"
