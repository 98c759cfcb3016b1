"""All that the dashboard knows: one frozen value, and the functions that advance it.

No clock, no socket and no terminal here: ``now`` is handed in, in seconds of any monotonic clock,
and ``unix_now`` in seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mmgat.model.labels import LABELS
from mmgat.stream.bus.protocol import (
    Estimate,
    Event,
    Graph,
    Hello,
    Lifecycle,
    Mark,
    Message,
    SourceInfo,
    Status,
)
from mmgat.stream.dashboard.state.graph import GraphView
from mmgat.stream.dashboard.state.log import Entries, Kind, with_entry, with_event, with_status
from mmgat.stream.dashboard.state.sources import (
    Connection,
    SourceState,
    advance_source,
    restarted,
)


@dataclass(frozen=True)
class DashboardState:
    """Everything the dashboard shows.

    Attributes:
        address: where it listens.
        since: ``now`` when it began to.
        session: the engine's run that speaks.
        hello: who speaks.
        sources: by name, in the order of the hello, then of appearance.
        old_sources: of the run before, until they are heard again.
        entries: the log, oldest first.
        lost: messages published and not received.
        unreadable: messages of another protocol, or damaged.
        trouble: why nothing comes, in words, where that is known.
    """

    address: str
    since: float = 0.0
    session: str = ""
    hello: Hello | None = None
    sources: Mapping[str, SourceState] = field(default_factory=dict)
    old_sources: Mapping[str, SourceState] = field(default_factory=dict)
    entries: Entries = ()
    lost: int = 0
    unreadable: int = 0
    trouble: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """In the model's order, which never changes: eyes learn places."""
        return tuple(self.hello.labels) if self.hello and self.hello.labels else LABELS

    @property
    def over(self) -> bool:
        """Every source has ended or failed."""
        return bool(self.sources) and all(source.over for source in self.sources.values())

    @property
    def unverified(self) -> frozenset[str]:
        """The labels of which the model saw no recordings in training."""
        return frozenset(self.hello.model.unverified) if self.hello else frozenset()

    def threshold(self, label: str) -> float | None:
        """At which score an instrument begins; None for one that is never named."""
        return self.hello.model.thresholds.get(label) if self.hello else None

    def muted(self, label: str) -> bool:
        """Whether the engine never names it, by its settings or by anybody's request."""
        return self.hello is not None and label not in self.hello.model.thresholds

    def names(self) -> list[str]:
        """The sources, those of the hello first."""
        announced = [info.name for info in self.hello.sources] if self.hello else []
        return announced + [name for name in self.sources if name not in announced]

    def heard(self) -> list[SourceState]:
        """The sources that have spoken, in the order of ``names``."""
        return [self.sources[name] for name in self.names() if name in self.sources]

    def info(self, name: str) -> SourceInfo | None:
        """What the hello says of a source."""
        infos = self.hello.sources if self.hello else []
        return next((info for info in infos if info.name == name), None)


def advance(
    state: DashboardState, message: Message, now: float, unix_now: float = 0.0
) -> DashboardState:
    """The state after ``message``, which arrived at ``now``.

    A message of another session means that the engine was started anew: the log says so, and every
    source keeps its past.
    """
    if message.session != state.session:
        state = _next_session(state, message, now)
    match message:
        case Hello():
            return _with_hello(state, message, now)
        case Graph():
            return _with_graph(state, message)
        case Mark():
            return _with_mark_of_engine(state, message)
        case Lifecycle(state="ended"):
            text = "the engine has ended in order"
            return replace(state, entries=with_entry(state.entries, "notice", text, message.time))
    if not isinstance(message, Estimate | Event | Status):
        return state
    name = message.source
    source = state.sources.get(name)
    if source is None:
        old = state.old_sources.get(name)
        source = restarted(old, now) if old else SourceState(name, now, now)
    entries = state.entries
    if isinstance(message, Event):
        entries = with_event(entries, message)
    elif isinstance(message, Status):
        entries = with_status(entries, source.status, message)
    info = state.info(name)
    session = info.session if info and info.session else message.session
    source = advance_source(source, message, now, unix_now, session)
    return replace(state, sources={**state.sources, name: source}, entries=entries)


def observe(state: DashboardState, now: float, unix_now: float) -> DashboardState:
    """The state after a look at the clock: the log tells of an engine that is gone or back."""
    for source in state.sources.values():
        connection = source.connection(now)
        if connection is source.told:
            continue
        entries = _told(state, source, connection, now, unix_now)
        sources = {**state.sources, source.name: replace(source, told=connection)}
        state = replace(state, sources=sources, entries=entries)
    return state


def _with_hello(state: DashboardState, hello: Hello, now: float) -> DashboardState:
    """The state after a hello; behind a proxy it also says which engines were started anew."""
    sources, entries = dict(state.sources), state.entries
    for info in hello.sources:
        before, source = state.info(info.name), sources.get(info.name)
        if before and source and before.session and before.session != info.session:
            sources[info.name] = restarted(source, now)
            text = f"the engine of {info.name} was started anew"
            entries = with_entry(entries, "notice", text, hello.time, info.name)
    return replace(state, hello=hello, sources=sources, entries=entries)


def _with_graph(state: DashboardState, graph: Graph) -> DashboardState:
    source = state.sources.get(graph.source)
    if source is None:
        return state
    shown = GraphView(graph.times_s, graph.similarity, graph.neighbours)
    sources = {**state.sources, source.name: replace(source, graph=shown)}
    return replace(state, sources=sources)


def _with_mark_of_engine(state: DashboardState, mark: Mark) -> DashboardState:
    entries, text = state.entries, mark.text or "marked"
    if not mark.times_s:
        entries = with_entry(entries, "mark", text, mark.time, replayed=mark.replayed)
    for name, stream_s in mark.times_s.items():
        entries = with_entry(
            entries, "mark", text, mark.time, name, stream_s, replayed=mark.replayed
        )
    return replace(state, entries=entries)


def with_mark(state: DashboardState, source: str, text: str, unix_now: float) -> DashboardState:
    """The state after the user has marked the moment."""
    known = state.sources.get(source)
    stream_s = known.estimate.t1 if known and known.estimate else None
    entries = with_entry(state.entries, "mark", text, unix_now, source, stream_s)
    return replace(state, entries=entries)


def with_trouble(state: DashboardState, trouble: str, unix_now: float) -> DashboardState:
    """The state after another answer to why nothing comes; the log has it, too."""
    if trouble == state.trouble:
        return state
    kind: Kind = "warning" if trouble else "over"
    entries = with_entry(state.entries, kind, trouble or f"over: {state.trouble}", unix_now)
    return replace(state, trouble=trouble, entries=entries)


def with_notice(state: DashboardState, text: str, unix_now: float) -> DashboardState:
    """The state after something of this program that the log is to have."""
    return replace(state, entries=with_entry(state.entries, "notice", text, unix_now))


def _told(
    state: DashboardState, source: SourceState, connection: Connection, now: float, unix_now: float
) -> Entries:
    silent_s = now - source.heard_at
    stream_s = source.estimate.t1 if source.estimate else None
    match connection:
        case Connection.GONE:
            text = "nothing is heard of the engine any more"
            return with_entry(
                state.entries, "warning", text, unix_now - silent_s, source.name, stream_s
            )
        case Connection.STALE:
            text = "the engine runs, but estimates have stopped"
            return with_entry(state.entries, "warning", text, unix_now, source.name, stream_s)
        case Connection.LIVE if source.told in (Connection.GONE, Connection.STALE):
            text = "over: estimates come again"
            return with_entry(state.entries, "over", text, unix_now, source.name, stream_s)
    return state.entries


def _next_session(state: DashboardState, message: Message, now: float) -> DashboardState:
    fresh = DashboardState(
        address=state.address,
        since=state.since,
        session=message.session,
        old_sources={**state.old_sources, **state.sources},
        entries=state.entries,
        unreadable=state.unreadable,
        trouble=state.trouble,
    )
    if not state.session:
        return fresh
    text = "the engine was started anew"
    return replace(fresh, entries=with_entry(fresh.entries, "notice", text, message.time))
