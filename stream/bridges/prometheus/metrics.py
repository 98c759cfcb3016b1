"""The metrics that Prometheus scrapes, made from the last status and estimate of each source.

Counters are the engine's own since its start, so a restart shows as a counter that begins anew, as
Prometheus expects. Source: prometheus.io/docs/practices/naming.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from mmgat.stream.bridges.base import Signal, SourceLost
from mmgat.stream.bus.protocol import Estimate, Event, Hello, Status

Kind = Literal["counter", "gauge"]


class Metric(NamedTuple):
    """One family: labels' names, and (labels' values, value) of each sample."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...]
    samples: Sequence[tuple[tuple[str, ...], float]]


_SAMPLES: Final = ("captured", "analysed", "dropped", "discarded", "nonfinite", "clipped")
_FROM_STATUS: Final[tuple[tuple[str, Kind, str, str, float], ...]] = (
    ("windows", "counter", "windows", "Windows recognised.", 1),
    ("xruns", "counter", "xruns", "Overflows of the audio system.", 1),
    ("outages", "counter", "outages", "Times that audio stopped coming.", 1),
    ("queued_samples", "gauge", "queued", "Samples that wait for analysis.", 1),
    ("lag_seconds", "gauge", "lag_ms", "Latency of the newest estimate.", 0.001),
    ("real_time_factor", "gauge", "real_time_factor", "Compute time over audio time.", 1),
    ("level_dbfs", "gauge", "level_dbfs", "Level of the newest window.", 1),
    ("uptime_seconds", "gauge", "uptime_s", "Time since the engine's start.", 1),
    ("lost_share", "gauge", "lost_share", "Share of the last five minutes that was dropped.", 1),
    (
        "longest_callback_seconds", "gauge", "longest_callback_ms",
        "Longest time that the audio system had to wait.", 0.001,
    ),
)  # fmt: skip
MAX_LOST: Final = 256
"""So many lost sources are shown as down; those that were lost before them are forgotten."""

LIVENESS: Final = ("healthy", "alarmed", "recovering", "escalated", "failed")


@dataclass
class MetricState:
    """What is known now; signals advance it, a scrape reads it."""

    hello: Hello | None = None
    statuses: dict[str, Status] = field(default_factory=dict)
    estimates: dict[str, Estimate] = field(default_factory=dict)
    lost: dict[str, None] = field(default_factory=dict)
    sounding: dict[tuple[str, str], float] = field(default_factory=dict)
    onsets: Counter[tuple[str, str]] = field(default_factory=Counter)

    def advance(self, signal: Signal) -> None:
        """Takes note of a signal."""
        match signal:
            case Hello():
                self.hello = signal
            case Status(source=source):
                self.statuses[source] = signal
                self.lost.pop(source, None)
            case Estimate(source=source):
                if source not in self.estimates:
                    self._count_from_zero(source, signal.scores)
                self.estimates[source] = signal
                self.lost.pop(source, None)
            case Event(source=source, label=label):
                is_on = signal.event == "on"
                self.sounding[source, label] = float(is_on)
                self.onsets[source, label] += is_on
            case SourceLost(source=source):
                self.lost[source] = None
                if len(self.lost) > MAX_LOST:
                    self._forget(next(iter(self.lost)))

    def _forget(self, source: str) -> None:
        for known in (self.lost, self.statuses, self.estimates):
            known.pop(source, None)
        for counted in (self.sounding, self.onsets):
            for key in [key for key in counted if key[0] == source]:
                del counted[key]

    def _count_from_zero(self, source: str, labels: Iterable[str]) -> None:
        """Prometheus sees no increase in a counter that appears at 1, so each appears at 0."""
        for label in labels:
            self.onsets[source, label] += 0


def metrics(state: MetricState, not_received: int = 0) -> list[Metric]:
    """All metrics of a state, their names without the suffix of counters.

    Args:
        state: what is known.
        not_received: messages that were lost between engine and bridge.
    """
    up = [((s,), float(s not in state.lost)) for s in state.statuses]
    found = [Metric("mmgat_up", "gauge", "1 while the engine speaks of a source.", ("source",), up)]
    alive = {s: status for s, status in state.statuses.items() if s not in state.lost}
    if state.hello is not None:
        model = (state.hello.version, state.hello.model.name, state.hello.model.version)
        labels = ("version", "model", "model_version")
        found.append(Metric("mmgat_info", "gauge", "What recognises.", labels, [(model, 1.0)]))
    found.append(
        Metric("mmgat_running", "gauge", "1 while a source is neither ended nor failed.",
            ("source",), [((s,), float(t.state == "running")) for s, t in alive.items()])
    )  # fmt: skip
    found.append(
        Metric("mmgat_liveness", "gauge", "1 for the state that a source is in.",
            ("source", "state"),
            [((s, one), float(t.liveness == one)) for s, t in alive.items() for one in LIVENESS])
    )  # fmt: skip
    found.append(
        Metric("mmgat_samples", "counter", "Samples of a source by what became of them.",
            ("source", "fate"),
            [((s, fate), float(getattr(t, fate))) for s, t in alive.items() for fate in _SAMPLES])
    )  # fmt: skip
    for name, kind, attribute, help_text, factor in _FROM_STATUS:
        samples = [((s,), factor * float(getattr(t, attribute))) for s, t in alive.items()]
        found.append(Metric(f"mmgat_{name}", kind, help_text, ("source",), samples))
    scores = [
        ((s, label), score)
        for s, e in state.estimates.items()
        if s not in state.lost
        for label, score in e.scores.items()
    ]
    label_names = ("source", "label")
    found.append(Metric("mmgat_score", "gauge", "What sounds now, 0 to 1.", label_names, scores))
    found.append(
        Metric("mmgat_active", "gauge", "1 while an instrument is on.", label_names,
            [*state.sounding.items()])
    )  # fmt: skip
    found.append(
        Metric("mmgat_onsets", "counter", "Times that an instrument began.", label_names,
            [(key, float(count)) for key, count in state.onsets.items()])
    )  # fmt: skip
    found.append(
        Metric("mmgat_bridge_not_received", "counter", "Messages lost on the way to this bridge.",
            (), [((), float(not_received))])
    )  # fmt: skip
    return found
