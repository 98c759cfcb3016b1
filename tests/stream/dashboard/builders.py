"""Messages with everything filled in, a publisher, a clock to set, and the text of a picture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import zmq
from textual.pilot import Pilot

from mmgat.model.labels import LABELS
from mmgat.stream.bus.protocol import (
    Estimate,
    Event,
    Hello,
    Message,
    ModelInfo,
    SourceInfo,
    Status,
    to_frames,
)
from mmgat.stream.bus.subscriber import AsyncSubscriber
from mmgat.stream.dashboard.app import DashboardApp

MIC = "Scarlett"
NOBODY = "ipc://nobody"
UNIX = 1_790_000_000.0 - 1000


def hello(**changes: Any) -> Hello:
    fields: dict[str, Any] = {
        "session": "a",
        "version": "0.1.0",
        "model": ModelInfo(
            name="tiny",
            version="0.3",
            embedder="compact",
            variant="convnet-2",
            thresholds=dict.fromkeys(LABELS, 0.5),
            unverified=["banjo"],
        ),
        "labels": list(LABELS),
        "sources": [SourceInfo(name=MIC, kind="device", sample_rate_hz=48000, channels=2)],
        "hop_s": 0.5,
        "nodes": 10,
    }
    return Hello(**fields | changes)


def estimate(t1: float = 10.0, sounding: tuple[str, ...] = (), **changes: Any) -> Estimate:
    """The instruments ``sounding`` have a score of 0.9 and even evidence, the others 0.1 and none."""
    scores = {label: 0.9 if label in sounding else 0.1 for label in LABELS}
    fields: dict[str, Any] = {
        "session": "a",
        "source": MIC,
        "index": round(2 * t1),
        "t0": t1 - 1,
        "t1": t1,
        "scores": scores,
        "bag_scores": scores,
        "active": list(sounding),
        "evidence": {label: [0.1 if label in sounding else 0.0] * 10 for label in LABELS},
        "evidence_t0": [t1 - 10 + node for node in range(10)],
        "level_dbfs": -20.0,
    }
    return Estimate(**fields | changes)


def status(**changes: Any) -> Status:
    fields: dict[str, Any] = {
        "session": "a",
        "source": MIC,
        "state": "running",
        "sample_rate_hz": 48000,
        "captured": 48000 * 65,
        "analysed": 48000 * 64,
        "dropped": 0,
        "discarded": 0,
        "queued": 48000,
        "windows": 128,
        "xruns": 0,
        "nonfinite": 0,
        "clipped": 0,
        "lag_ms": 130.0,
        "capture_ms": 12.0,
        "queue_ms": 98.0,
        "compute_ms": 32.0,
        "levels_dbfs": [-20.0, -74.0],
        "clipped_channels": [0, 0],
        "real_time_factor": 0.12,
        "level_dbfs": -20.0,
        "uptime_s": 65.0,
    }
    return Status(**fields | changes)


def event(kind: str, label: str, t: float, t0: float, **changes: Any) -> Event:
    fields: dict[str, Any] = {
        "session": "a",
        "source": MIC,
        "event": kind,
        "id": f"{label}-{t0}",
        "label": label,
        "time_s": t,
        "onset_s": t0,
        "score": 0.8,
    }
    return Event(**fields | changes)


class Publisher:
    """A bound XPUB that sends once somebody has subscribed."""

    def __init__(self) -> None:
        self._socket = zmq.Context.instance().socket(zmq.XPUB)
        port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.address = f"tcp://127.0.0.1:{port}"

    def subscribed(self) -> bool:
        return bool(self._socket.poll(0))

    def send(self, *messages: Message | list[bytes]) -> None:
        for message in messages:
            frames = message if isinstance(message, list) else to_frames(message)
            self._socket.send_multipart(frames)

    def close(self) -> None:
        self._socket.close(linger=0)


class Clock:
    """Monotonic seconds that stand still until they are set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def unix(self) -> float:
        return UNIX + self.now


@asynccontextmanager
async def dashboard(
    size: tuple[int, int] = (110, 34), address: str = NOBODY, **options: Any
) -> AsyncIterator[tuple[DashboardApp, Pilot[None]]]:
    """The running application without a terminal."""
    async with AsyncSubscriber(address) as subscriber:
        app = DashboardApp(subscriber, **{"theme": "dark"} | options)
        async with app.run_test(size=size) as pilot:
            yield app, pilot


async def until(pilot: Pilot[None], condition: Callable[[], bool], what: str) -> None:
    """Lets the application run until ``condition`` holds."""
    for _ in range(1500):
        if condition():
            return
        await pilot.pause(0.02)
    raise AssertionError(f"not within 30 s: {what}\n{picture(pilot.app)}")


async def until_shown(pilot: Pilot[None], *texts: str) -> str:
    """The picture as soon as all ``texts`` are in it."""
    await until(pilot, lambda: all(text in picture(pilot.app) for text in texts), f"shows {texts}")
    return picture(pilot.app)


def picture(app: Any) -> str:
    """The screen as lines of text, as Textual composes it for the terminal."""
    compositor, behind = app.screen._compositor, app._background_screens
    update = compositor.render_update(full=True, screen_stack=behind)
    return "\n".join("".join(part.text for part in strip).rstrip() for strip in update.strips)


class Silence:
    """A feed that never has a message."""

    address = "tcp://127.0.0.1:5550"
    damaged = 0
    trouble = ""

    class losses:
        lost = 0

    def subscribe(self, topic: str) -> None:
        self.topic = topic

    async def receive(self) -> Message:
        await asyncio.Event().wait()
        raise AssertionError
