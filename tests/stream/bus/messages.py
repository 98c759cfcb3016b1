"""Small valid messages."""

from __future__ import annotations

from typing import Any

import msgspec

from mmgat.stream.bus.protocol import (
    Estimate,
    Event,
    Graph,
    Hello,
    Lifecycle,
    Mark,
    Message,
    ModelInfo,
    SourceInfo,
    Status,
)

HELLO = Hello(
    version="1",
    model=ModelInfo(
        name="lab", version="0", embedder="compact", variant="c", thresholds={"a": 0.5}
    ),
    labels=["a"],
    sources=[SourceInfo(name="lab", kind="file", sample_rate_hz=16_000, channels=1)],
    hop_s=0.5,
    nodes=10,
)
ESTIMATE = Estimate(
    source="lab", index=3, t0=1.5, t1=2.5, scores={"a": 0.75}, bag_scores={"a": 0.5},
    active=["a"], evidence={"a": [0.25, 0.25]}, evidence_t0=[0.5, 1.5], level_dbfs=-20.0,
)  # fmt: skip
STATUS = Status(
    source="lab", state="running", sample_rate_hz=1, captured=3, analysed=2, dropped=1, discarded=0,
    queued=0, windows=0, xruns=0, nonfinite=0, clipped=0, lag_ms=0, real_time_factor=0,
    level_dbfs=-200, uptime_s=0,
)  # fmt: skip
GRAPH = Graph(
    source="lab", index=3, times_s=[0.0, 1.0, 2.0],
    similarity=[[1.0, 0.5, -0.25], [0.5, 1.0, 0.75], [-0.25, 0.75, 1.0]],
    neighbours={"temporal-1": [[1], [0, 2], [1]], "wide-0.6": [[], [2], [1]]},
)  # fmt: skip
MARK = Mark(text="second verse", times_s={"lab": 63.5})
LIFECYCLE = Lifecycle(
    state="started", host="studio", address="tcp://127.0.0.1:5550", started_at=1_799_999_999.25
)


def unstamped(message: Message) -> Message:
    """The message as it was before a publisher or an output numbered it."""
    return msgspec.structs.replace(message, session="", seq=0, time=0.0)


def event(t: float = 0.0, **changes: Any) -> Event:
    """An instrument that begins at ``t``."""
    begins = Event(source="lab", event="on", id="a-1", label="a", time_s=t, onset_s=t, score=0.9)
    return msgspec.structs.replace(begins, **changes)
