"""The engine at real-time pace: latency to the socket, and how many streams keep up."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import zmq

from tools.benchmark.timing import RATE_HZ, percentile, sound

LATENCY_S = 40.0


def latency(compute: str = "cpu") -> Iterator[str]:
    """Last sample of a window in -> message received on a TCP socket, at real-time pace."""
    yield from release()
    yield f"compact, latency to the socket: {_latency('compact', None, compute)}"
    with tempfile.TemporaryDirectory() as folder:
        vggish = _latency("vggish", Path(folder), compute)
        yield f"vggish (random weights), latency to the socket: {vggish}"


def release() -> Iterator[str]:
    """How much sound has come after a window's end when it is recognised; no clock is in it."""
    from mmgat.stream.audio.pace import LIVE_BLOCK_S
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


def random_vggish(folder: Path) -> Path:
    """Random weights in the published form; enough to time the network."""
    import torch

    from mmgat.model.embedders.vggish import network as vggish

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
    (folder / "pca.pth").rename(folder / f"vggish_pca_params-{_digits(folder / 'pca.pth')}.pth")
    return use_random_vggish(folder)


def use_random_vggish(folder: Path) -> Path:
    """Takes weights of ``random_vggish`` in this process, which the published hash would refuse."""
    from mmgat.model.embedders.vggish import network as vggish

    (pca,) = folder.glob("vggish_pca_params-*.pth")
    vggish.PCA_FILE = pca.name  # type: ignore[misc]
    return folder / "vggish.pth"


def _digits(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]
