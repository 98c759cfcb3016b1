"""``mmgat-stream --diagnose``: what this machine has, and whether it keeps up."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

from model.errors import ModelError
from stream.errors import DeviceError
from stream.settings import StreamSettings
from stream.windows import HEARD_SAMPLES, WINDOW_SAMPLES, Window

LIBRARIES = ("numpy", "torch", "soxr", "soundfile", "sounddevice", "pyzmq", "textual")
LISTEN_S = 2.0
N_WINDOWS = 20


def report(device: str | None, model: str, weights: Path | None, compute: str) -> Iterator[str]:
    """Lines of a report: versions, audio inputs, models, and the time a window takes.

    A fault of one part is a line of the report and does not end it.
    """
    yield f"mmgat-stream {version('mmgat-stream')}, Python {platform.python_version()}"
    yield f"{platform.platform()}, {os.cpu_count()} CPUs"
    yield ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    yield ""
    yield from _audio(device)
    yield ""
    yield from _model(model, weights, compute)


def _audio(device: str | None) -> Iterator[str]:
    from stream.devices import DeviceSource, list_devices
    from stream.pipeline import level_dbfs

    try:
        yield "audio inputs:"
        yield list_devices()
        source = DeviceSource(device)
        with source:
            blocks = []
            until = time.monotonic() + LISTEN_S
            while time.monotonic() < until and (block := source.read()) is not None:
                blocks.append(block.samples)
            samples = np.concatenate(blocks)
        yield (
            f"listened to {source.name!r} for {LISTEN_S:g} s: {len(samples)} frames at "
            f"{source.sample_rate_hz} Hz, {source.channels} channels, level "
            f"{level_dbfs(samples.ravel()):.1f} dBFS, {source.xruns} overflows, longest "
            f"callback {source.longest_callback_ms:.2f} ms"
        )
    except DeviceError as error:
        yield str(error)


def _model(model: str, weights: Path | None, compute: str) -> Iterator[str]:
    from stream.recognizer import load_recognizer

    try:
        recognizer, where = load_recognizer(model, StreamSettings(), compute, weights)
    except ModelError as error:
        yield str(error)
        return
    card = recognizer.card
    yield f"model {card.name} {card.version} ({card.embedder}, {card.variant}), {where}"
    if card.unverified:
        yield f"unverified labels (no recorded training data): {', '.join(card.unverified)}"
    memory = recognizer.memory()
    times = []
    noise = np.random.default_rng(0).normal(0, 0.1, HEARD_SAMPLES).astype(np.float32)
    for index in range(N_WINDOWS):
        begun = time.perf_counter()
        recognizer([(memory, Window(index, index * WINDOW_SAMPLES, noise))])
        times.append(1000 * (time.perf_counter() - begun))
    yield f"one window takes {statistics.median(times):.1f} ms (median of {N_WINDOWS})"
