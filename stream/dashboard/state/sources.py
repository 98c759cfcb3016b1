"""One source as the dashboard knows it: how it stands, what it says now, and its past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from mmgat.stream.bus.protocol import Estimate, Event, Status
from mmgat.stream.dashboard.state.graph import GraphView
from mmgat.stream.dashboard.state.history import SourceHistory, advance_history

STALE_AFTER_S: Final = 3.0
"""Three missed status messages, or at least three missed windows."""

MAX_SAMPLES: Final = 3600
"""Status messages whose figures are kept: an hour."""

PEAK_HOLD_S: Final = 3
"""For how long the highest score of a label stays marked."""


class Connection(Enum):
    """How one source stands.

    WAITING: nobody has spoken yet, or the first window is not full.
    LIVE: estimates arrive.
    PAUSED: somebody paused it by the control endpoint.
    STALE: the engine speaks and says it is running, yet no estimate for ``STALE_AFTER_S``.
    GONE: nothing at all for ``STALE_AFTER_S``; the engine stopped or the network did.
    ENDED: the source is at its end.
    FAILED: the engine gave the source up.
    """

    WAITING = "waiting"
    LIVE = "live"
    PAUSED = "paused"
    STALE = "stale"
    GONE = "gone"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True)
class HealthSample:
    """The figures of one status.

    Attributes:
        unix_time: when it was published.
        lag_ms: from the last sample of a window to its estimate.
        capture_ms: what the device takes.
        queue_ms, compute_ms: parts of the lag: waiting, and recognition.
        compute: share of one core, 1 for a whole one.
        transit_ms: from publishing to arrival; only where both clocks agree.
        level_dbfs: of the last second.
        dropped_s: since the start.
        xruns, clipped: since the start.
        healthy: sound comes.
    """

    unix_time: float
    lag_ms: float
    capture_ms: float
    queue_ms: float
    compute_ms: float
    compute: float
    transit_ms: float
    level_dbfs: float
    dropped_s: float
    xruns: int
    clipped: int
    healthy: bool


@dataclass(frozen=True)
class SourceState:
    """What is known of one source.

    Attributes:
        name: as the messages call it.
        first_at, heard_at: ``now`` of its first and its last message.
        estimate_at: ``now`` of the last estimate.
        estimates: those that end within one second of the newest, oldest first. The nodes of one
            graph are a second apart, so these hold the newest graph of every phase.
        ended: labels of which the end was told after the newest estimate.
        status: the newest.
        clipped_at: ``now`` of the last status with more clipped samples than the one before.
        channels_clipped_at: channel, from 0 -> the same of it alone.
        history: scores and intervals.
        samples: figures of the statuses, oldest first.
        graph: the newest instance graph, if the engine sends it.
        told: the connection that the log knows of.
    """

    name: str
    first_at: float
    heard_at: float
    estimate_at: float | None = None
    estimates: tuple[Estimate, ...] = ()
    ended: frozenset[str] = frozenset()
    status: Status | None = None
    clipped_at: float | None = None
    channels_clipped_at: Mapping[int, float] = field(default_factory=dict)
    history: SourceHistory = field(default_factory=SourceHistory)
    samples: tuple[HealthSample, ...] = ()
    graph: GraphView | None = None
    told: Connection = Connection.WAITING

    @property
    def estimate(self) -> Estimate | None:
        """The newest."""
        return self.estimates[-1] if self.estimates else None

    @property
    def over(self) -> bool:
        """The source has ended or failed: nothing more will come."""
        return self.status is not None and self.status.state != "running"

    @property
    def active(self) -> tuple[str, ...]:
        """The labels that are on now; none of a source that is paused, or over."""
        if self.estimate is None or self.resting:
            return ()
        return tuple(label for label in self.estimate.active if label not in self.ended)

    @property
    def near_misses(self) -> tuple[str, ...]:
        """The labels that are nearly on; see ``Estimate``."""
        return tuple(self.estimate.near_misses) if self.estimate and not self.resting else ()

    @property
    def resting(self) -> bool:
        """Nothing is recognised: it is paused, or over."""
        return self.over or (self.status is not None and self.status.paused)

    def sounding_s(self, label: str) -> float | None:
        """For how long an instrument has been on; None if it is not, or began before we listened."""
        estimate, interval = self.estimate, self.history.sounding.get(label)
        if estimate is None or interval is None or label not in self.active:
            return None
        return max(0.0, estimate.t1 + self.history.offset_s - interval.onset_s)

    def peak(self, label: str) -> float:
        """The highest score of the last ``PEAK_HOLD_S`` seconds."""
        end = self.history.track.end
        return self.history.score(label, end - PEAK_HOLD_S, end) or 0.0

    def connection(self, now: float) -> Connection:
        """How the source stands at ``now``."""
        if self.status is not None and self.status.state != "running":
            return Connection(self.status.state)
        if now - self.heard_at > STALE_AFTER_S:
            return Connection.GONE
        if self.status is not None and self.status.paused:
            return Connection.PAUSED
        if now - (self.first_at if self.estimate_at is None else self.estimate_at) > STALE_AFTER_S:
            return Connection.STALE
        return Connection.WAITING if self.estimate_at is None else Connection.LIVE


def advance_source(
    source: SourceState,
    message: Estimate | Event | Status,
    now: float,
    unix_now: float,
    session: str,
) -> SourceState:
    """The source after one of its messages.

    Args:
        source: before.
        message: of it.
        now: when it arrived.
        unix_now: the same in Unix time.
        session: the engine's run; behind a proxy, not the message's own.
    """
    source = replace(source, heard_at=now)
    match message:
        case Estimate():
            # A thousandth short of the second: windows of one phase follow at exactly 1 s.
            begin = message.t1 - 0.999
            kept = tuple(old for old in source.estimates if begin < old.t1 < message.t1)
            return replace(
                source,
                estimate_at=now,
                estimates=(*kept, message),
                ended=frozenset(),
                history=advance_history(source.history, message, session),
            )
        case Event():
            ended = source.ended - {message.label}
            if message.event == "off" and not message.replayed:
                ended |= {message.label}
            history = advance_history(source.history, message, session)
            return replace(source, history=history, ended=ended)
        case Status():
            before = source.status.clipped if source.status else message.clipped
            clipped_at = now if message.clipped > before else source.clipped_at
            channels = dict(source.channels_clipped_at) | dict.fromkeys(
                _clipping(source.status, message), now
            )
            samples = (*source.samples, _sample(message, unix_now))[-MAX_SAMPLES:]
            return replace(
                source,
                status=message,
                clipped_at=clipped_at,
                channels_clipped_at=channels,
                samples=samples,
            )


def _clipping(before: Status | None, status: Status) -> list[int]:
    """The channels with more clipped samples than in the status before."""
    old = before.clipped_channels if before else status.clipped_channels
    old = [*old, *[0] * (len(status.clipped_channels) - len(old))]
    return [at for at, n in enumerate(status.clipped_channels) if n > old[at]]


def restarted(source: SourceState, now: float) -> SourceState:
    """The source when another run of the engine takes over: only its past stays."""
    return SourceState(
        source.name, now, now, history=source.history, samples=source.samples, told=source.told
    )


def _sample(status: Status, unix_now: float) -> HealthSample:
    rate = status.sample_rate_hz or 1
    live = bool(status.time) and not status.replayed
    return HealthSample(
        unix_time=status.time,
        lag_ms=status.lag_ms,
        capture_ms=status.capture_ms,
        queue_ms=status.queue_ms,
        compute_ms=status.compute_ms,
        compute=status.real_time_factor,
        transit_ms=max(0.0, 1000 * (unix_now - status.time)) if live else 0.0,
        level_dbfs=status.level_dbfs,
        dropped_s=status.dropped / rate,
        xruns=status.xruns,
        clipped=status.clipped,
        healthy=status.liveness == "healthy",
    )
