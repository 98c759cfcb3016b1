"""What one source did: scores by the second, and what began and ended, also across restarts.

All of it is bounded: an hour of scores, ``MAX_INTERVALS`` instruments that have ended.

An engine's run counts its stream from 0. The history has an axis of its own, in seconds, on which
runs follow each other: the first run's seconds are its own, a later run is moved to behind the ones
before it, by as long as there was none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final

from mmgat.stream.bus.protocol import Estimate, Event
from mmgat.stream.dashboard.state.score_track import FULL, MAX_SECONDS, ScoreTrack

MAX_INTERVALS: Final = 2000
"""Instruments that have ended and are kept."""

MAX_RUNS: Final = 20
MAX_ANCHORS: Final = 256

RESTART_GAP_S: Final = (2.0, 600.0)
"""The shortest and the longest gap on the axis between two runs."""

ANCHOR_ERROR_S: Final = 1.5
"""By how much the time of day may be wrong before another anchor is set."""


@dataclass(frozen=True)
class Interval:
    """An instrument that sounded.

    Attributes:
        label: of the instrument.
        onset_s, end_s: on the axis; no end while it sounds.
        score: the highest that an event of it carried.
        told_s: of its event, on the axis: estimates after it name it for as long as it sounds.
    """

    label: str
    onset_s: float
    end_s: float | None
    score: float
    told_s: float = 0.0


@dataclass(frozen=True)
class Run:
    """One run of the engine.

    Attributes:
        session: of the messages.
        offset_s: where on the axis its second 0 is.
        begin_s: from where on the axis it is known; what is before belongs to the run before.
    """

    session: str
    offset_s: float
    begin_s: float = 0.0


@dataclass(frozen=True)
class SourceHistory:
    """The past of one source.

    Attributes:
        labels: in the order of the rows' bytes.
        runs: of the engine, oldest first.
        track: scores by the second.
        closed: what has ended, in the order in which that was told.
        sounding: label -> what has begun and not ended.
        anchors: pairs of a second on the axis and its Unix time, oldest first.
        end_s: the newest moment on the axis.
    """

    labels: tuple[str, ...] = ()
    runs: tuple[Run, ...] = ()
    track: ScoreTrack = ScoreTrack()
    closed: tuple[Interval, ...] = ()
    sounding: Mapping[str, Interval] = field(default_factory=dict)
    anchors: tuple[tuple[float, float], ...] = ()
    end_s: float = 0.0

    @property
    def offset_s(self) -> float:
        """Where on the axis the second 0 of the newest run is."""
        return self.runs[-1].offset_s if self.runs else 0.0

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """Everything that sounded or sounds."""
        return (*self.closed, *self.sounding.values())

    @property
    def begin_s(self) -> float:
        """The oldest moment that is known, on the axis."""
        starts = [interval.onset_s for interval in self.intervals]
        if self.track.rows:
            starts.append(float(self.track.first))
        return max(min(starts, default=self.end_s), self.end_s - MAX_SECONDS)

    def unix_time(self, axis_s: float) -> float | None:
        """The Unix time of a moment on the axis; None if nothing said it."""
        if not self.anchors:
            return None
        found = self.anchors[0]
        for anchor in self.anchors:
            if anchor[0] > axis_s:
                break
            found = anchor
        return found[1] + axis_s - found[0]

    def stream_s(self, axis_s: float) -> float:
        """The second in the stream of its run that a moment on the axis is."""
        found = self.runs[0].offset_s if self.runs else 0.0
        for run in self.runs:
            if run.begin_s <= axis_s:
                found = run.offset_s
        return axis_s - found

    def score(self, label: str, begin_s: int, end_s: int) -> float | None:
        """The highest score of a label in the seconds from ``begin_s`` to before ``end_s``.

        None where no estimate of any of them is known.
        """
        if label not in self.labels:
            return None
        index, best = self.labels.index(label), -1
        for second in range(max(begin_s, self.track.first), min(end_s, self.track.end)):
            row = self.track.row(second)
            if index < len(row):
                best = max(best, row[index])
        return None if best < 0 else best / FULL

    def heard_s(self) -> dict[str, float]:
        """Label -> for how many seconds of the newest run it sounded, the longest first."""
        begin_s = self.runs[-1].begin_s if self.runs[1:] else -inf
        seconds: defaultdict[str, float] = defaultdict(float)
        for interval in self.intervals:
            end_s = self.end_s if interval.end_s is None else interval.end_s
            if end_s > begin_s:
                seconds[interval.label] += end_s - max(begin_s, interval.onset_s)
        return dict(sorted(seconds.items(), key=lambda item: -item[1]))

    def moments(self) -> list[float]:
        """When anything began or ended, on the axis, in order."""
        found = {interval.onset_s for interval in self.intervals}
        found |= {interval.end_s for interval in self.closed if interval.end_s is not None}
        return sorted(found)


def advance_history(
    history: SourceHistory, message: Estimate | Event, session: str
) -> SourceHistory:
    """The history after a message of the run ``session``."""
    stream_s = message.t1 if isinstance(message, Estimate) else message.time_s
    if not history.runs:
        history = replace(history, runs=(Run(session, 0.0),))
    elif history.runs[-1].session != session:
        history = _restarted(history, session, stream_s, message.time)
    axis_s = stream_s + history.offset_s
    history = _anchored(history, message, axis_s)
    if isinstance(message, Event):
        history = _with_event(history, message)
    else:
        history = _with_scores(_with_active(history, message, axis_s), message)
    return replace(history, end_s=max(history.end_s, axis_s))


def _restarted(
    history: SourceHistory, session: str, stream_s: float, unix_time: float
) -> SourceHistory:
    """Ends what sounded, and puts the new run behind the old one."""
    last, before = history.end_s, history.unix_time(history.end_s)
    low, high = RESTART_GAP_S
    gap_s = low if before is None or not unix_time else unix_time - before
    offset_s = last + min(high, max(low, gap_s)) - max(0.0, stream_s)
    closed = [replace(one, end_s=max(one.onset_s, last)) for one in history.sounding.values()]
    return replace(
        history,
        runs=(*history.runs, Run(session, offset_s, max(last, offset_s)))[-MAX_RUNS:],
        closed=(*history.closed, *closed)[-MAX_INTERVALS:],
        sounding={},
    )


def _anchored(history: SourceHistory, message: Estimate | Event, axis_s: float) -> SourceHistory:
    """Remembers the time of day where the anchors before do not tell it."""
    late_s = message.latency_ms / 1000 if isinstance(message, Estimate) else 0.0
    at = message.time - late_s
    if not message.time or (history.anchors and axis_s < history.anchors[-1][0]):
        return history
    told = history.unix_time(axis_s)
    if told is not None and abs(told - at) <= ANCHOR_ERROR_S:
        return history
    return replace(history, anchors=(*history.anchors, (axis_s, at))[-MAX_ANCHORS:])


def _with_event(history: SourceHistory, event: Event) -> SourceHistory:
    """Notes a beginning or an end; a late joiner may get old ones after newer ones."""
    offset_s, label = history.offset_s, event.label
    begin_s = history.runs[-1].begin_s if history.runs[1:] else -inf
    onset_s = max(begin_s, event.onset_s + offset_s)
    at_s = max(onset_s, event.time_s + offset_s)
    before = history.sounding.get(label)
    if event.event == "on":
        over = any(one.label == label and one.onset_s == onset_s for one in history.closed)
        if over or (before and before.onset_s > onset_s):
            return history
        begun = Interval(label, onset_s, None, event.score, at_s)
        return replace(history, sounding={**history.sounding, label: begun})
    same = before is not None and before.onset_s == onset_s
    score = max(event.score, before.score if before and same else 0.0)
    history = _closed(history, Interval(label, onset_s, at_s, score, at_s))
    if before is None or before.onset_s > onset_s:
        return history
    return replace(history, sounding=_without(history.sounding, label))


def _closed(history: SourceHistory, ended: Interval) -> SourceHistory:
    """With what has ended; its own end counts more than the one that was taken for it."""
    closed = tuple(
        one for one in history.closed if (one.label, one.onset_s) != (ended.label, ended.onset_s)
    )
    return replace(history, closed=(*closed, ended)[-MAX_INTERVALS:])


def _without(sounding: Mapping[str, Interval], label: str) -> Mapping[str, Interval]:
    return {name: one for name, one in sounding.items() if name != label}


def _with_active(history: SourceHistory, estimate: Estimate, axis_s: float) -> SourceHistory:
    """Ends what an estimate no longer names: the message of its end was lost."""
    for label, one in history.sounding.items():
        if label not in estimate.active and axis_s > one.told_s:
            history = _closed(history, replace(one, end_s=max(one.onset_s, axis_s)))
            history = replace(history, sounding=_without(history.sounding, label))
    return history


def _with_scores(history: SourceHistory, estimate: Estimate) -> SourceHistory:
    labels = tuple(estimate.scores)
    track = history.track
    if labels != history.labels:
        track = ScoreTrack()  # another model: its rows have other columns
    middle_s = (estimate.t0 + estimate.t1) / 2 + history.offset_s
    row = bytes(round(FULL * min(1.0, max(0.0, score))) for score in estimate.scores.values())
    return replace(history, labels=labels, track=track.with_row(int(middle_s + 1e-6), row))
