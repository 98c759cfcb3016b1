"""What the dashboard knows: one frozen value, and one function that advances it by a message.

No clock, no socket and no terminal here: ``now`` is handed in, in seconds of any monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from mmgat.model.labels import LABELS
from mmgat.stream.bus.protocol import Estimate, Event, Hello, Message, SourceInfo, Status

STALE_AFTER_S: Final = 3.0
"""Three missed status messages, or at least three missed windows."""

N_ROWS: Final = 6
"""Rows of the evidence map."""

N_EVENTS: Final = 100
"""Events kept for the log; more than any terminal shows."""

ROW_MARGIN: Final = 0.1
"""By how much a label must be more relevant than one in the evidence map to take its row."""


class Connection(Enum):
    """How one source stands.

    WAITING: nobody has spoken yet, or the first window is not full.
    LIVE: estimates arrive.
    STALE: the engine speaks and says it is running, yet no estimate for ``STALE_AFTER_S``.
    GONE: nothing at all for ``STALE_AFTER_S``; the engine stopped or the network did.
    ENDED: the source is at its end.
    FAILED: the engine gave the source up.
    """

    WAITING = "waiting"
    LIVE = "live"
    STALE = "stale"
    GONE = "gone"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True)
class SourceState:
    """What is known of one source.

    Attributes:
        name: as the messages call it.
        first_at, heard_at: ``now`` of its first and its last message.
        estimate_at: ``now`` of the last estimate.
        estimates: those that end within one second of the newest, oldest first. The nodes of one
            graph are a second apart, so these hold the newest graph of every phase.
        rows: labels of the evidence map; a label keeps its row while it is among the relevant.
        events: newest first.
        onsets: label -> second of the stream at which an instrument that is on began.
        clipped_at: ``now`` of the last status with more clipped samples than the one before.
    """

    name: str
    first_at: float
    heard_at: float
    estimate_at: float | None = None
    estimates: tuple[Estimate, ...] = ()
    rows: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    onsets: Mapping[str, float] = field(default_factory=dict)
    status: Status | None = None
    clipped_at: float | None = None

    @property
    def estimate(self) -> Estimate | None:
        """The newest."""
        return self.estimates[-1] if self.estimates else None

    @property
    def over(self) -> bool:
        """The source has ended or failed: nothing more will come."""
        return self.status is not None and self.status.state != "running"

    def sounding_s(self, label: str) -> float | None:
        """For how long an instrument has been on; None if it is not, or began before we listened."""
        estimate, onset = self.estimate, self.onsets.get(label)
        if estimate is None or onset is None or label not in estimate.active:
            return None
        return max(0.0, estimate.t1 - onset)

    def connection(self, now: float) -> Connection:
        """How the source stands at ``now``."""
        if self.status is not None and self.status.state != "running":
            return Connection(self.status.state)
        if now - self.heard_at > STALE_AFTER_S:
            return Connection.GONE
        if now - (self.first_at if self.estimate_at is None else self.estimate_at) > STALE_AFTER_S:
            return Connection.STALE
        return Connection.WAITING if self.estimate_at is None else Connection.LIVE


@dataclass(frozen=True)
class DashboardState:
    """Everything the dashboard shows.

    Attributes:
        address: where it listens.
        session: the engine's run; everything else is forgotten when it changes.
        hello: who speaks.
        sources: by name, in the order of the hello, then of appearance.
        lost: messages published and not received.
        unreadable: messages of another protocol, or damaged.
    """

    address: str
    session: str = ""
    hello: Hello | None = None
    sources: Mapping[str, SourceState] = field(default_factory=dict)
    lost: int = 0
    unreadable: int = 0

    @property
    def labels(self) -> tuple[str, ...]:
        """In the model's order, which never changes: eyes learn places."""
        return tuple(self.hello.labels) if self.hello and self.hello.labels else LABELS

    @property
    def over(self) -> bool:
        """Every source has ended or failed."""
        return bool(self.sources) and all(source.over for source in self.sources.values())

    def names(self) -> list[str]:
        """The sources, those of the hello first."""
        announced = [info.name for info in self.hello.sources] if self.hello else []
        return announced + [name for name in self.sources if name not in announced]

    def info(self, name: str) -> SourceInfo | None:
        """What the hello says of a source."""
        infos = self.hello.sources if self.hello else []
        return next((info for info in infos if info.name == name), None)


def advance(state: DashboardState, message: Message, now: float) -> DashboardState:
    """The state after ``message``, which arrived at ``now``.

    A message of another session means that the engine was started anew: what the old one said is
    forgotten.
    """
    if message.session != state.session:
        state = DashboardState(
            address=state.address, session=message.session, unreadable=state.unreadable
        )
    if isinstance(message, Hello):
        return replace(state, hello=message)
    if not isinstance(message, Estimate | Event | Status):
        return state
    name = message.source
    source = state.sources.get(name) or SourceState(name=name, first_at=now, heard_at=now)
    source = _advance_source(replace(source, heard_at=now), message, now)
    return replace(state, sources={**state.sources, name: source})


def _advance_source(
    source: SourceState, message: Estimate | Event | Status, now: float
) -> SourceState:
    match message:
        case Estimate():
            # A thousandth short of the second: windows of one phase follow at exactly 1 s.
            begin = message.t1 - 0.999
            kept = tuple(old for old in source.estimates if begin < old.t1 < message.t1)
            return replace(
                source,
                estimate_at=now,
                estimates=(*kept, message),
                rows=choose_rows(source.rows, message),
            )
        case Event():
            onsets = {label: s for label, s in source.onsets.items() if label != message.label}
            if message.event == "on":
                onsets[message.label] = message.onset_s
            return replace(source, events=(message, *source.events)[:N_EVENTS], onsets=onsets)
        case Status():
            before = source.status.clipped if source.status else message.clipped
            clipped_at = now if message.clipped > before else source.clipped_at
            return replace(source, status=message, clipped_at=clipped_at)


def choose_rows(rows: tuple[str, ...], estimate: Estimate) -> tuple[str, ...]:
    """The labels of the evidence map: the most relevant, with as few changes as possible.

    Active labels come first, then those that sounded most in the graph's seconds. The first choice
    is in label order; afterwards a newcomer takes the row of the least relevant label.
    """
    labels = list(estimate.bag_scores)

    def relevance(label: str) -> float:
        return estimate.bag_scores.get(label, 0.0) + (label in estimate.active)

    kept = [label for label in rows if label in estimate.bag_scores]
    if not kept:
        best = sorted(labels, key=relevance, reverse=True)[:N_ROWS]
        return tuple(label for label in labels if label in best)
    while outside := [label for label in labels if label not in kept]:
        strongest = max(outside, key=relevance)
        weakest = min(kept, key=relevance)
        if relevance(strongest) <= relevance(weakest) + ROW_MARGIN:
            break
        kept[kept.index(weakest)] = strongest
    return tuple(kept)
