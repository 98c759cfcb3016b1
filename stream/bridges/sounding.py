"""What sounds now, from messages that may be lost, replayed, or end without a word.

A receiver must not be told of what is past as if it happened now, and no note may hang. So
replayed events are taken together and only their outcome is passed on; an engine that restarts or
falls silent ends what sounded; and where an event was lost, the estimates correct it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import msgspec

from mmgat.stream.bridges.base import Signal, SourceLost
from mmgat.stream.bus.protocol import Estimate, Event, Hello, Message, Status

STALE_S: Final = 3.0
"""Without a message for so long a source is lost; its status comes once a second."""

LOOK_S: Final = 1.0
"""So often one looks for sources that are lost, while others speak."""

MAX_SOURCES: Final = 512
MAX_LABELS: Final = 256
"""Labels of one source; a model has 20. What a peer names on top is left out: receivers keep names."""

MAX_REPLAYED: Final = 1000


class _Source:
    """What is known of one source.

    Attributes:
        on: label -> the event with which it began.
        replayed: events that were sent again, until all of them are there.
        latest: label -> ``seq`` of its last event that was not replayed; older ones are history.
        active: the labels of the last estimate, None before the first.
    """

    def __init__(self, session: str) -> None:
        self.session = session
        self.heard_at = 0.0
        self.lost = False
        self.on: dict[str, Event] = {}
        self.replayed: list[Event] = []
        self.latest: dict[str, int] = {}
        self.active: frozenset[str] | None = None
        self.estimate: Estimate | None = None
        self.status: Status | None = None


class Sounding:
    """Turns the messages of the bus into signals for a receiver.

    Args:
        clock: ``time.monotonic``, or another in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._hello: Hello | None = None
        self._sources: dict[str, _Source] = {}
        self._labels: dict[str, set[str]] = {}
        self._looked_at = clock()

    def update(self, message: Message) -> list[Signal]:
        """The signals that follow from a message."""
        return [*self._taken(message), *self._lost_meanwhile()]

    def _taken(self, message: Message) -> list[Signal]:
        signals: list[Signal] = []
        if not message.replayed:
            signals += self._settle()
        if isinstance(message, Hello):
            self._hello = message
            return [*signals, message]
        if not isinstance(message, Estimate | Event | Status):
            return signals
        name = message.source
        source = self._sources.get(name)
        if (source is None and not self._has_room()) or not self._may_name(message):
            return signals
        if source is None or source.session != message.session:
            signals += self._end_all(name)
            source = self._sources[name] = _Source(message.session)
        source.heard_at, source.lost = self._clock(), False
        match message:
            case Event():
                if message.replayed and message.seq < source.latest.get(message.label, -1):
                    return signals
                if message.replayed:
                    source.replayed = [*source.replayed[-MAX_REPLAYED:], message]
                else:
                    source.latest[message.label] = message.seq
                    signals += _advance(source.on, message)
            case Estimate():
                signals += [message, *_corrected(source, message)]
                source.estimate = message
            case Status():
                source.status = message
                signals.append(message)
                if message.state != "running":
                    signals += self._end_all(name)
        return signals

    def _has_room(self) -> bool:
        """Whether there is room for another source, if need be in place of one that is lost."""
        if len(self._sources) < MAX_SOURCES:
            return True
        lost = next((name for name, source in self._sources.items() if source.lost), None)
        if lost is not None:
            del self._sources[lost]
            self._labels.pop(lost, None)
        return lost is not None

    def _may_name(self, message: Estimate | Event | Status) -> bool:
        """Whether the labels of a message are, with those before, no more than a source may have."""
        known = self._labels.setdefault(message.source, set())
        match message:
            case Estimate():
                named = {*message.scores, *message.active}
            case Event():
                named = {message.label}
            case Status():
                return True
        if len(known | named) > MAX_LABELS:
            return False
        known |= named
        return True

    def tick(self) -> list[Signal]:
        """The signals that follow from having no message: called when none waits."""
        return [*self._settle(), *self._lost()]

    def _lost_meanwhile(self) -> list[Signal]:
        """Looks for lost sources now and then; where this process was held up, their messages wait."""
        since = self._clock() - self._looked_at
        if since < LOOK_S:
            return []
        if since >= STALE_S:
            self._looked_at = self._clock()
            return []
        return self._lost()

    def _lost(self) -> list[Signal]:
        """What ends because nothing comes from its source any more."""
        signals: list[Signal] = []
        self._looked_at = now = self._clock()
        for name, source in self._sources.items():
            if source.lost or now - source.heard_at < STALE_S:
                continue
            source.lost = True
            signals += [*self._end_all(name), SourceLost(source=name)]
        return signals

    def snapshot(self) -> list[Signal]:
        """What a receiver that begins to listen must know."""
        signals: list[Signal] = [self._hello] if self._hello else []
        for name, source in self._sources.items():
            signals += [s for s in (source.estimate, source.status) if s is not None]
            signals += source.on.values()
            if source.lost:
                signals.append(SourceLost(source=name))
        return signals

    def end_all(self) -> list[Signal]:
        """Ends whatever sounds, because the bridge ends."""
        return [signal for name in self._sources for signal in self._end_all(name)]

    def _settle(self) -> list[Signal]:
        """The difference that replayed events make, as soon as all of them have come."""
        signals: list[Signal] = []
        for source in self._sources.values():
            if not source.replayed:
                continue
            after = dict(source.on)
            for event in source.replayed:
                _advance(after, event)
            gone = [e for label, e in source.on.items() if after.get(label) != e]
            signals += [_ended(event) for event in gone]
            signals += [e for label, e in after.items() if source.on.get(label) != e]
            source.on, source.replayed = after, []
        return signals

    def _end_all(self, name: str) -> list[Signal]:
        source = self._sources.get(name)
        if source is None:
            return []
        ended: list[Signal] = [_ended(event) for event in source.on.values()]
        source.on, source.replayed, source.active = {}, [], None
        return ended


def _advance(on: dict[str, Event], event: Event) -> list[Signal]:
    """Applies an event to what is on; the events that follow from it, none if it is no news."""
    before = on.get(event.label)
    if event.event == "off":
        if before is None or before.id != event.id:
            return []
        del on[event.label]
        return [event]
    if before is not None and before.id == event.id:
        return []
    on[event.label] = event
    return [event] if before is None else [_ended(before), event]


def _corrected(source: _Source, estimate: Estimate) -> list[Signal]:
    """What two estimates in a row say and no event did: the event was lost."""
    signals: list[Signal] = []
    active = frozenset(estimate.active)
    if source.active is not None and not estimate.replayed and not source.replayed:
        for label in [*source.on]:
            if label not in active | source.active:
                signals.append(_ended(source.on.pop(label), estimate))
        for label in sorted((active & source.active) - source.on.keys()):
            begun = Event(
                session=estimate.session, time=estimate.time, source=estimate.source, event="on",
                id=f"{label}@{estimate.index}", label=label, time_s=estimate.t0,
                onset_s=estimate.t0, score=estimate.scores.get(label, 0.0),
            )  # fmt: skip
            source.on[label] = begun
            signals.append(begun)
    source.active = active
    return signals


def _ended(event: Event, estimate: Estimate | None = None) -> Event:
    """The ``off`` that was never heard of an ``on``."""
    now_s = max(event.time_s, estimate.t0) if estimate is not None else event.time_s
    return msgspec.structs.replace(event, event="off", time_s=now_s, score=0.0, time=time.time())
