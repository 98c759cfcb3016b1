"""Where the processor's time of a stream's hop goes, stage by stage."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

from tools.benchmark.timing import RATE_HZ, sound

MANY = 64
HOPS = 8
WARM_UP = 3
GATHERED_S = 0.1
"""As the engine gathers blocks of many streams."""

BLOCK_S = 0.01
"""As a sound card gives them."""

OVERALL = ("queue", "audio to windows", "front end", "networks", "graphs", "messages", "encoding")
"""Stages one after another."""


def profile(compute: str = "cpu") -> Iterator[str]:
    """Microseconds of processor time a stream and hop, with many channels in one process."""
    from mmgat.model.threads import limit_threads
    from mmgat.stream.audio.meter import ChannelMeter
    from mmgat.stream.audio.resampler import MonoResampler
    from mmgat.stream.audio.windows import WindowAssembler
    from mmgat.stream.recognition.event_detector import EventDetector
    from mmgat.stream.recognition.front_end import IncrementalFrontEnd
    from mmgat.stream.recognition.recognizer import Recognizer, load_recognizer
    from mmgat.stream.settings import StreamSettings

    settings = StreamSettings(hop_s=1.0)
    recognizer = load_recognizer("compact", settings, compute)
    limit_threads(recognizer.model.embedder)
    recognizer.warm_up(MANY)
    spent: dict[str, float] = defaultdict(float)
    with ExitStack() as stack:
        for kind, method, part in (
            (MonoResampler, "__call__", "resampling"),
            (ChannelMeter, "push", "meters"),
            (WindowAssembler, "push", "windows"),
            (IncrementalFrontEnd, "__call__", "front end"),
            (EventDetector, "update", "events"),
            (Recognizer, "predict", "prediction"),
        ):
            stack.enter_context(_timed(kind, method, part, spent))
        gathered = _medians(_hops(recognizer, settings, spent, 1 / GATHERED_S))
        in_blocks = _medians(_hops(recognizer, settings, spent, 1 / BLOCK_S))
    whole, outside = sum(gathered[part] for part in OVERALL), _outside(gathered)
    yield (
        f"{MANY} channels at hop 1, blocks gathered to {1000 * GATHERED_S:g} ms: {whole:.0f} us a "
        f"stream and hop, {outside:.0f} of them outside the networks ({recognizer.model.computes}); "
        f"in blocks of {1000 * BLOCK_S:g} ms {_outside(in_blocks):.0f}"
    )
    for part in OVERALL:
        yield f"  {part}: {gathered[part]:.0f} us, {gathered[part] / whole:.0%}"
    for part in ("resampling", "meters", "windows", "events"):
        yield f"    of these, {part}: {gathered[part]:.0f} us"


def _medians(hops: Iterator[dict[str, float]]) -> dict[str, float]:
    """Part -> microseconds a stream and hop."""
    after = list(hops)[WARM_UP:]
    us: dict[str, float] = defaultdict(float)
    for part in {part for hop in after for part in hop}:
        us[part] = 1e6 / MANY * statistics.median(hop.get(part, 0.0) for hop in after)
    us["networks"] = us["prediction"] - us["front end"]
    us["graphs"] = us["recognition"] - us["prediction"]
    return us


def _outside(us: dict[str, float]) -> float:
    return sum(us[part] for part in OVERALL if part != "networks")


def _hops(
    recognizer: Any, settings: Any, spent: dict[str, float], per_second: float
) -> Iterator[dict[str, float]]:
    """What every hop of all streams took, by stage."""
    from mmgat.stream.audio.source import Block
    from mmgat.stream.bus.protocol import to_frames
    from mmgat.stream.engine.block_queue import BlockQueue
    from mmgat.stream.recognition.pipeline import Pipeline

    pipelines = [Pipeline(recognizer, str(n), RATE_HZ, settings) for n in range(MANY)]
    queues = [BlockQueue(RATE_HZ, lossy=True) for _ in pipelines]
    second, size = sound(1.0)[:, None], round(RATE_HZ / per_second)
    for n in range(HOPS):
        spent.clear()
        for first in range(0, RATE_HZ, size):
            with _clock("queue", spent):
                for queue in queues:
                    queue.put(Block(n * RATE_HZ + first, second[first : first + size], float(n)))
                blocks = [queue.take() for queue in queues]
            with _clock("audio to windows", spent):
                for pipeline, block in zip(pipelines, blocks, strict=True):
                    assert block
                    pipeline.push(block)
        due = [(p, window) for p in pipelines if (window := p.window()) is not None]
        if not due:
            continue
        with _clock("recognition", spent):
            recognitions = recognizer([(p.state, window) for p, window in due])
        with _clock("messages", spent):
            for (pipeline, _), recognition in zip(due, recognitions, strict=True):
                pipeline.complete(recognition)
            messages = [message for p in pipelines for message in p.drain()]
        with _clock("encoding", spent):
            for message in messages:
                to_frames(message)
        yield dict(spent)


@contextmanager
def _clock(part: str, spent: dict[str, float]) -> Iterator[None]:
    begun = time.thread_time()
    yield
    spent[part] += time.thread_time() - begun


@contextmanager
def _timed(kind: type, method: str, part: str, spent: dict[str, float]) -> Iterator[None]:
    """Times a method of all its instances."""
    plain: Callable[..., Any] = getattr(kind, method)

    @wraps(plain)
    def timed(*args: Any, **options: Any) -> Any:
        with _clock(part, spent):
            return plain(*args, **options)

    setattr(kind, method, timed)
    try:
        yield
    finally:
        setattr(kind, method, plain)
