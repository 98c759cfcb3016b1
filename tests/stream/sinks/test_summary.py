"""The closing lines of a run."""

from __future__ import annotations

import msgspec
import pytest

from mmgat.stream.bus.protocol import Event, Status
from mmgat.stream.sinks.summary import Summary

FINE = Status(
    source="mic", state="running", sample_rate_hz=16_000, captured=48_000, analysed=32_000,
    dropped=8_000, discarded=4_000, queued=4_000, windows=3, xruns=0, nonfinite=0, clipped=0,
    lag_ms=0, real_time_factor=0, level_dbfs=-20, uptime_s=2,
)  # fmt: skip


def event(kind: str, label: str, onset_s: float, time_s: float, source: str = "mic") -> Event:
    return Event(
        source=source, event=kind, id=f"{label}{onset_s}", label=label, time_s=time_s,  # type: ignore[arg-type]
        onset_s=onset_s, score=0.9,
    )  # fmt: skip


def closing_line(**changes: object) -> str:
    return Summary().closing_line(msgspec.structs.replace(FINE, **changes))


def test_instruments_are_named_by_how_long_they_sounded_in_their_source() -> None:
    summary = Summary()
    assert summary.instruments("mic") == "no instrument"
    for one in (
        event("on", "flute", 0.0, 9.0), event("off", "flute", 0.0, 1.5),
        event("off", "piano", 2.0, 5.0), event("off", "flute", 4.0, 4.5),
        event("off", "drums", 0.0, 7.0, "desk"),
    ):  # fmt: skip
        summary.handle(one)
    assert summary.instruments("mic") == "piano 3.0 s, flute 2.0 s"
    assert summary.instruments("desk") == "drums 7.0 s"


def test_other_messages_add_nothing() -> None:
    summary = Summary()
    summary.handle(FINE)
    assert summary.instruments("mic") == "no instrument"
    assert (Summary.wants, Summary.lossless, Summary.name) == ((Event,), True, "summary")


def test_samples_are_told_in_seconds() -> None:
    assert closing_line() == (
        "mic: 3.0 s captured, 2.0 analysed, 0.5 dropped, 0.2 discarded; heard no instrument"
    )


@pytest.mark.parametrize(
    ("captured", "padded"), [(0, False), (1, True), (15_999, True), (16_000, False)]
)
def test_sound_shorter_than_a_window_was_padded(captured: int, padded: bool) -> None:
    line = closing_line(captured=captured)
    assert line.endswith("; shorter than one window of 1 s: recognised padded with silence") == (
        padded
    )


def test_a_source_that_never_opened_has_no_rate_and_no_seconds() -> None:
    line = closing_line(sample_rate_hz=0, captured=0, analysed=0, dropped=0, discarded=0)
    assert line.startswith("mic: 0.0 s captured")


def test_faults_are_counted_one_and_many() -> None:
    assert closing_line(outages=1, xruns=1, nonfinite=1, clipped=1).endswith(
        "; faults: 1 outage, 1 overflow, 1 NaN or infinite sample, 1 clipped sample"
    )
    assert closing_line(outages=2, xruns=3, sinks_dropped={"jsonl": 4, "record": 1}).endswith(
        "; faults: 2 outages, 3 overflows, 4 messages lost by output jsonl, "
        "1 message lost by output record"
    )


def test_an_output_that_lost_sound_says_how_much() -> None:
    lost = {"sinks_dropped": {"record": 5}, "sinks_dropped_s": {"record": 2.25, "ear": 0.5}}
    assert closing_line(**lost).endswith(
        "; faults: 5 messages and 2.2 s of sound lost by output record, "
        "0.5 s of sound lost by output ear"
    )
