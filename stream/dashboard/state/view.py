"""What a screen is asked to show: the state, the time, and what the user has chosen to see."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mmgat.stream.dashboard.state.dashboard import DashboardState
from mmgat.stream.dashboard.state.log import KINDS, Entries, filtered
from mmgat.stream.dashboard.state.sources import Connection, SourceState

OVER: Final = "over"
"""``View.replay`` after the last message of a recorded session."""

SPANS_S: Final = (60, 120, 300, 600, 1800, 3600)
"""Widths of the timeline."""


@dataclass(frozen=True)
class Choices:
    """What the user has chosen; it outlives every message.

    Attributes:
        source: name, or "" for the first.
        label: instrument of the evidence, or "" for what has sounded longest.
        span_s: width of the timeline.
        cursor_s: moment on the timeline's axis; None follows the newest.
        kinds: the log's filter.
        search: words of the log's search.
        scroll: lines that the health screen is scrolled by.
        log_scroll: entries that the log is scrolled by.
        log_newest: number of the newest entry then: what comes later does not move the log.
        top: first row of the timeline where not all have room; None for those that sounded.
        row: chosen line of the sources.
        graph_only: the evidence shows nothing but the graph.
        note: the answer to the last action, or "".
    """

    source: str = ""
    label: str = ""
    span_s: int = SPANS_S[0]
    cursor_s: float | None = None
    kinds: str = next(iter(KINDS))
    search: str = ""
    scroll: int = 0
    log_scroll: int = 0
    log_newest: int = -1
    top: int | None = None
    row: int = 0
    graph_only: bool = False
    note: str = ""

    def zoomed(self, steps: int) -> Choices:
        """With a wider (positive) or narrower timeline."""
        index = SPANS_S.index(self.span_s) + steps
        return replace(self, span_s=SPANS_S[min(len(SPANS_S) - 1, max(0, index))])

    def next_filter(self) -> Choices:
        """With the log's next filter."""
        names = list(KINDS)
        return replace(self, kinds=names[(names.index(self.kinds) + 1) % len(names)], log_scroll=0)


@dataclass(frozen=True)
class View:
    """What is shown.

    Attributes:
        state: of everything.
        now: monotonic seconds.
        unix_now: seconds since 1970.
        choices: of the user.
        frozen: the picture stands still.
        controllable: the engine takes requests.
        replay: how fast a recorded session is shown, or "".
    """

    state: DashboardState
    now: float
    unix_now: float = 0.0
    choices: Choices = Choices()
    frozen: bool = False
    controllable: bool = False
    replay: str = ""

    @property
    def source(self) -> SourceState | None:
        """The source that is shown: the one chosen, or else the first."""
        heard = self.state.heard()
        chosen = [source for source in heard if source.name == self.choices.source]
        return next(iter(chosen or heard), None)

    @property
    def connection(self) -> Connection:
        """How that source stands."""
        return self.source.connection(self.now) if self.source else Connection.WAITING

    @property
    def ended(self) -> bool:
        """Nothing more comes of the source: it is over, or the recorded session is."""
        return self.replay == OVER or (self.source is not None and self.source.over)

    @property
    def doubtful(self) -> bool:
        """Nothing new comes: what was on may be over."""
        return self.connection in (Connection.GONE, Connection.STALE)

    @property
    def label(self) -> str:
        """The instrument that the evidence is about: the one chosen, or what has sounded longest.

        Where nothing sounds it is the strongest.
        """
        if self.choices.label in self.state.labels:
            return self.choices.label
        source = self.source
        estimate = source.estimate if source else None
        if source is None or estimate is None or not estimate.scores:
            return self.state.labels[0]
        scores, sounding = estimate.scores, source.history.sounding
        if active := [label for label in source.active if label in sounding]:
            return min(active, key=lambda label: (sounding[label].onset_s, -scores.get(label, 0.0)))
        return max(source.active or scores, key=lambda label: scores.get(label, 0.0))

    @property
    def entries(self) -> Entries:
        """The log through the filter, oldest first."""
        return filtered(self.state.entries, self.choices.kinds, self.choices.search)

    @property
    def log_scroll(self) -> int:
        """By how many entries the log is scrolled; it stands still while others come."""
        choices = self.choices
        if not choices.log_scroll:
            return 0
        return choices.log_scroll + sum(entry.number > choices.log_newest for entry in self.entries)
