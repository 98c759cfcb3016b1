"""From the end of a window to a receiver of OSC in a process of its own, through ``mmgat-bridge``."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import soundfile

from tools.benchmark.timing import RATE_HZ, percentile, sound

SECONDS = 60.0
WARM_UP_WINDOWS = 6

RECEIVER = """
import json, socket, sys, time, zmq
from mmgat.stream.bus.protocol import Estimate, from_frames
from pythonosc.osc_bundle import OscBundle

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
bus = zmq.Context().socket(zmq.SUB)
bus.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/estimate/")
bus.connect(sys.argv[1])
print(udp.getsockname()[1], flush=True)
poller = zmq.Poller()
poller.register(udp, zmq.POLLIN)
poller.register(bus, zmq.POLLIN)
published, bundles, heard = {}, {}, {}
while ready := dict(poller.poll(10_000)):
    now = time.monotonic()
    if udp.fileno() in ready:
        bundle = OscBundle(udp.recv(65_535))
        if any(message.address.endswith("/level") for message in bundle):
            bundles[f"{bundle.timestamp:.4f}"] = now
    if bus in ready:
        message = from_frames(bus.recv_multipart())
        if isinstance(message, Estimate) and not message.partial and not message.replayed:
            published[f"{message.time:.4f}"] = message.index, message.t1
            heard[message.index] = now
        elif isinstance(message, Estimate) and message.partial:
            break
pairs = [
    (index, t1, heard[index], bundles[tag]) for tag, (index, t1) in published.items() if tag in bundles
]
print(json.dumps([sorted(pairs), len(published)]))
"""


def osc() -> Iterator[str]:
    """Window's end -> OSC bundle received over UDP, beside a subscriber of the bus."""
    from mmgat.stream.audio.inputs import Input
    from mmgat.stream.bus.publisher import Publisher
    from mmgat.stream.engine.engine import Engine
    from mmgat.stream.recognition.recognizer import load_recognizer
    from mmgat.stream.settings import StreamSettings
    from tools.benchmark.live import timed_file

    settings = StreamSettings()
    recognizer = load_recognizer("compact", settings, "cpu", None)
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        soundfile.write(file.name, sound(SECONDS), RATE_HZ)
        source = timed_file(Path(file.name))
        publisher = Publisher("tcp://127.0.0.1:*")
        receiver = subprocess.Popen(
            [sys.executable, "-c", RECEIVER, publisher.address], stdout=subprocess.PIPE, text=True
        )
        assert receiver.stdout is not None
        port = receiver.stdout.readline().strip()
        bridge = subprocess.Popen(
            [sys.executable, "-m", "mmgat.stream.commands.bridge", "osc", "--port", port,
             "--connect", publisher.address],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            engine = Engine([Input(source)], recognizer, [publisher], settings)
            engine.start()
            engine.wait()
            pairs, n_published = json.loads(receiver.stdout.read())
        finally:
            publisher.close()
            for process in (bridge, receiver):
                process.kill()
                process.wait()
    late = [pair for pair in pairs if pair[0] >= WARM_UP_WINDOWS]
    to_bus = [1000 * (at - source.began - t1) for _, t1, at, _ in late]
    to_osc = [1000 * (at - source.began - t1) for _, t1, _, at in late]
    more = [1000 * (osc_at - bus_at) for _, _, bus_at, osc_at in late]
    for name, lags in (("bus", to_bus), ("OSC", to_osc), ("OSC after the bus", more)):
        yield (
            f"compact, window's end to {name}: p50 {percentile(lags, 50):.1f} ms, "
            f"p95 {percentile(lags, 95):.1f} ms"
        )
    yield f"{len(late)} windows at hop {settings.hop_s:g}; {n_published - len(pairs)} without a bundle"
