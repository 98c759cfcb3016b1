"""The stages of a file's way, each timed alone on what the one before gave."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from mmgat.model.backends.base import Floats, WholeGraphs
from mmgat.model.threads import limit_threads
from mmgat.stream.archive.annotator import WINDOWS_AT_ONCE, Annotator
from mmgat.stream.audio.meter import ChannelMeter
from mmgat.stream.audio.resampler import MonoResampler
from mmgat.stream.audio.sound_file import open_sound
from mmgat.stream.audio.windows import Window
from mmgat.stream.recognition.recognizer import Recognizer, load_recognizer, windows_of
from mmgat.stream.settings import StreamSettings

T = TypeVar("T")


def stage_times(path: Path, seconds: float, hop_s: float, turns: int) -> dict[str, float]:
    """stage -> milliseconds of processor a second of sound; ``whole`` is all of them together."""
    settings = StreamSettings(hop_s=hop_s)
    recognizer = load_recognizer(settings=settings)
    limit_threads(recognizer.model.embedder)
    rounds = [_turn(path, recognizer, settings) for _ in range(turns)]
    least = {name: 1000 / seconds * min(times[name] for times in rounds) for name in rounds[0]}
    rest = least["whole"] - sum(found for name, found in least.items() if name != "whole")
    return least | {"rest": max(rest, 0.0)}


def _turn(path: Path, recognizer: Recognizer, settings: StreamSettings) -> dict[str, float]:
    """Seconds of processor of each stage."""
    times: dict[str, float] = {}

    def timed(name: str, stage: Callable[[], T]) -> T:
        begun = time.process_time()
        found = stage()
        times[name] = time.process_time() - begun
        return found

    embedder, backend = recognizer.model.embedder, recognizer.model.backend
    timed("whole", lambda: list(Annotator(recognizer, settings)([path])))
    source = open_sound(path)
    blocks = timed("decode", lambda: list(iter(source.read, None)))
    source.close()
    meter = ChannelMeter(source.sample_rate_hz)
    resample = MonoResampler(source.sample_rate_hz, embedder.sample_rate_hz)
    parts = timed("resample", lambda: [resample(meter.limit(b.samples)) for b in blocks])
    assemble = windows_of(embedder, settings)
    windows = timed("windows", lambda: [w for part in parts for w in assemble.push(part)])
    state = recognizer.new_state()
    log_mel = timed(
        "front end", lambda: [np.array([state.front_end(w) for w in b]) for b in _cut(windows)]
    )
    embeddings = timed("embedder", lambda: [backend.embed(b) for b in log_mel])
    pairs = list(zip(windows, np.concatenate(embeddings), strict=True))

    def whole_graphs(some: list[tuple[Window, Floats]]) -> WholeGraphs:
        wholes = []
        for window, embedding in some:
            wholes.append(state.begin_node(window).whole(embedding))
        return WholeGraphs(*map(np.array, zip(*wholes, strict=True)))

    timed("MMGAT", lambda: [backend.read(whole_graphs(some)) for some in _cut(pairs)])
    return times


def _cut(items: list[T]) -> list[list[T]]:
    """In batches."""
    return [items[i : i + WINDOWS_AT_ONCE] for i in range(0, len(items), WINDOWS_AT_ONCE)]
