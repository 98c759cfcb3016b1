"""``mmgat-stream --diagnose``: what this machine has, and whether it keeps up."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

import numpy as np

from mmgat.model.errors import ModelError
from mmgat.stream.audio.devices.listing import list_devices
from mmgat.stream.audio.inputs import Input
from mmgat.stream.audio.windows import WindowAssembler
from mmgat.stream.errors import StreamError
from mmgat.stream.settings import ModelSettings, StreamSettings

if TYPE_CHECKING:
    from mmgat.stream.recognition.recognizer import Recognizer

LIBRARIES = (
    "numpy", "onnxruntime", "soxr", "soundfile", "sounddevice", "pyzmq", "textual", "torch"
)  # fmt: skip
LISTEN_S = 5.0
LOOK_S = 0.05
N_WINDOWS = 20
DEFAULT_MODEL: Final = ("compact", "auto", None)
"""Tried when the model that is asked for does not load."""


def report(device: str | None, model: ModelSettings) -> Iterator[str]:
    """Lines of a report: versions, audio inputs, models, and how both do together for a while.

    A fault of one part is a line of the report and does not end it.
    """
    yield f"mmgat-stream {version('mmgat-stream')}, Python {platform.python_version()}"
    yield f"{platform.platform()}, {os.cpu_count()} CPUs"
    yield ", ".join(f"{name} {_version(name)}" for name in LIBRARIES)
    yield ""
    yield "audio inputs:"
    try:
        yield list_devices()
    except (StreamError, ImportError, OSError) as error:
        yield str(error)
    yield ""
    recognizer = None
    for name, compute, weights in ((model.model, model.where, model.weights), DEFAULT_MODEL):
        try:
            from mmgat.stream.recognition.recognizer import load_recognizer

            recognizer = load_recognizer(name, StreamSettings(), compute, weights)
            break
        except (ModelError, ImportError, OSError) as error:
            yield f"model {name}: {type(error).__name__}: {error}"
    if recognizer is None:
        return
    yield from _model(recognizer)
    yield ""
    try:
        yield from _listen(device, recognizer)
    except (StreamError, ImportError, OSError) as error:
        yield f"listening: {error}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # torch need not be there
        return "not installed"


def _model(recognizer: Recognizer) -> Iterator[str]:
    card, embedder = recognizer.model.card, recognizer.model.embedder
    space = f"({card.embedder}, {card.variant})"
    yield f"model {card.name} {card.version} {space}, {recognizer.model.computes}"
    if card.unverified:
        yield f"unverified labels (no recorded training data): {', '.join(card.unverified)}"
    state, rate = recognizer.new_state(), embedder.sample_rate_hz
    noise = np.random.default_rng(0).normal(0, 0.1, N_WINDOWS * rate).astype(np.float32)
    times = []
    for window in WindowAssembler(rate, embedder.window_samples, rate).push(noise):
        begun = time.perf_counter()
        recognizer([(state, window)])
        times.append(1000 * (time.perf_counter() - begun))
    yield f"one window takes {statistics.median(times):.1f} ms (median of {N_WINDOWS})"


def _listen(device: str | None, recognizer: Recognizer) -> Iterator[str]:
    """The counters of a short run of the engine on a device."""
    from mmgat.stream.audio.devices.device import DeviceSource
    from mmgat.stream.engine.engine import Engine

    source = DeviceSource(device)
    source.probe()
    engine = Engine([Input(source)], recognizer, [])
    engine.start()
    until = time.monotonic() + LISTEN_S
    waiting = [0]
    while time.monotonic() < until and not engine.wait(LOOK_S):
        waiting += [account.queued for account in engine.accounts.values()]
    lag_ms = [status.lag_ms for status in engine.statuses()]
    engine.stop()
    engine.wait()
    (status,) = engine.statuses()
    rate = status.sample_rate_hz
    yield (
        f"listened to {source.name!r} for {LISTEN_S:g} s at {rate} Hz, {source.channels} channels: "
        f"level {status.level_dbfs:.1f} dBFS"
    )
    yield (
        f"{status.captured} samples captured = {status.analysed} analysed + {status.dropped} "
        f"dropped + {status.discarded} discarded at the end; at most {1000 * max(waiting) / rate:.0f} "
        f"ms waited, lag {max(lag_ms):.0f} ms"
    )
    yield (
        f"{status.xruns} overflows, longest callback {status.longest_callback_ms:.2f} ms; the "
        "device's clock against the system's is known after five minutes of a run"
    )
    if status.message:
        yield status.message
