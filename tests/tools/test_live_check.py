"""The facts that the live check holds the engine to, on messages made here."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from mmgat.model.labels import LABELS
from mmgat.stream.bus.protocol import Estimate, Event, Message, Status
from tools.live_check.bus import Bus
from tools.live_check.run import SHORT, check
from tools.soak.lines import environment_with


@dataclass
class Script:
    """A subscriber that has these messages and no others."""

    messages: list[Message] = field(default_factory=list)

    def receive(self, timeout_s: float) -> Message | None:
        return self.messages.pop(0) if self.messages else None


def estimate(index: int, seq: int) -> Estimate:
    scores = dict.fromkeys(LABELS, 0.0)
    return Estimate(
        source="mic", index=index, seq=seq, t0=index / 4, t1=index / 4 + 1, scores=scores,
        bag_scores=scores, active=[], evidence={}, evidence_t0=[], level_dbfs=-20, latency_ms=30,
    )  # fmt: skip


def event(kind: str, seq: int, onset_s: float = 1.0, time_s: float = 1.0) -> Event:
    return Event(
        source="mic", seq=seq, event=kind, id="piano-1", label="piano",  # type: ignore[arg-type]
        time_s=time_s, onset_s=onset_s, score=0.9,
    )  # fmt: skip


def status(seq: int, captured: int) -> Status:
    return Status(
        source="mic", seq=seq, state="running", sample_rate_hz=48_000, captured=captured,
        analysed=900, dropped=60, discarded=0, queued=40, windows=1, xruns=0, nonfinite=0,
        clipped=0, lag_ms=30, real_time_factor=0.1, level_dbfs=-20, uptime_s=1,
    )  # fmt: skip


GOOD = [
    estimate(0, 0), status(0, 1000), event("on", 0), estimate(1, 1), estimate(3, 2),
    event("off", 1, time_s=2.0), status(1, 1000),
]  # fmt: skip


def broken_by(messages: list[Message]) -> list[str]:
    bus = Bus(Script(messages), 0.25)  # type: ignore[arg-type]
    bus.follow(60.0, lambda _: not bus._subscriber.messages)  # type: ignore[attr-defined]
    bus.expect_no_open_events("at the end")
    return bus.broken


def test_a_good_run_breaks_no_fact() -> None:
    assert broken_by([*GOOD]) == []


@pytest.mark.parametrize(
    ("messages", "fact"),
    [
        ([estimate(0, 0), estimate(0, 1)], "comes twice"),
        ([estimate(0, 0), estimate(1, 2)], "seq 2 instead of 1"),
        ([status(0, 1001)], "not balanced"),
        ([event("on", 0), event("on", 1), event("off", 2)], "begins twice"),
        ([event("on", 0), event("off", 1, onset_s=0.5)], "another onset"),
        ([event("on", 0)], "still on"),
    ],
    ids=["duplicate", "lost message", "account", "twice on", "onset", "still on"],
)
def test_each_broken_fact_is_noted(messages: list[Message], fact: str) -> None:
    (broken,) = broken_by(messages)
    assert fact in broken


@pytest.mark.parametrize(
    ("line", "fact"),
    [("one frame too many", "not balanced"), ("a window has no number", "comes twice")],
)
def test_a_broken_line_is_found_through_a_real_audio_server(
    tmp_path_factory: pytest.TempPathFactory, line: str, fact: str
) -> None:
    """The short form of ``python -m tools.live_check --broken``, which breaks 13 lines."""
    copy, folder = (tmp_path_factory.mktemp(name) for name in ("copy", "run"))
    (found,) = check(folder, SHORT, environment_with(line, copy))
    assert fact in found
