"""From the messages of several engines to those of one: a pure function with a memory (ours).

Sources get the name of their engine in front, ``studio: mic``; hellos become one. What is on in an
engine that goes away ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from mmgat.stream.bus.protocol import (
    PREFIX,
    Estimate,
    Event,
    Graph,
    Hello,
    Lifecycle,
    Mark,
    Message,
    Status,
)

SEPARATOR: Final = ": "
MAX_SOURCES: Final = 256
"""Of one engine; a hostile one names no more."""


@dataclass
class _Source:
    """What is remembered of one source.

    Attributes:
        on: the engine's id -> the event by which an instrument began that has not ended.
        lost: the same, of those that were ended here because the engine was gone.
        t1: seconds in the stream, of the last estimate or event.
        status: the last one.
        is_lost: the last status is ours, since the engine seemed gone.
    """

    on: dict[str, Event] = field(default_factory=dict)
    lost: dict[str, Event] = field(default_factory=dict)
    t1: float = 0.0
    status: Status | None = None
    is_lost: bool = False


@dataclass
class _Engine:
    session: str = ""
    hello: Hello | None = None
    sources: dict[str, _Source] = field(default_factory=dict)


class Merge:
    """Merges engines.

    Args:
        names: of the engines; the messages of each are taken under its name.
    """

    def __init__(self, names: list[str]) -> None:
        self._engines = {name: _Engine() for name in names}
        self._n_resumed = 0

    def take(self, name: str, message: Message) -> list[Message]:
        """The messages to publish for one of an engine."""
        engine = self._engines[name]
        out: list[Message] = []
        if message.session != engine.session:
            out += self.lose(name, "the engine was started anew")
            self._engines[name] = engine = _Engine(session=message.session)
        match message:
            case Hello():
                engine.hello = message
                out.append(self.hello())
            case Lifecycle(state="ended"):
                out += self.lose(name, "the engine has ended", for_certain=True)
            case Lifecycle():
                pass
            case Mark():
                times_s = {name + SEPARATOR + key: t for key, t in message.times_s.items()}
                out.append(msgspec.structs.replace(message, times_s=times_s))
            case Estimate() | Event() | Graph() | Status():
                out += self._of_source(name, engine, message)
        return out

    def lose(self, name: str, why: str, for_certain: bool = False) -> list[Message]:
        """The messages that say that an engine is gone: the ends of what was on, and a status.

        Args:
            name: of the engine.
            why: in words.
            for_certain: the engine says so itself; it is told after a loss that was only seen, too.
        """
        out: list[Message] = []
        for source in self._engines[name].sources.values():
            for event in source.on.values():
                at = max(source.t1, event.onset_s)
                out.append(_anew(event, event="off", time_s=at, score=0.0))
            source.lost |= source.on
            source.on.clear()
            if source.status is None:
                continue
            if source.status.state == "running" or (for_certain and source.is_lost):
                source.is_lost = True
                source.status = msgspec.structs.replace(
                    source.status, state="failed", message=f"{name}: {why}", time=0.0
                )
                out.append(source.status)
        return out

    def hello(self) -> Hello:
        """The hello of all engines together; model and thresholds are those of the first."""
        heard = [(name, e.hello) for name, e in self._engines.items() if e.hello is not None]
        _, first = heard[0]
        sources = [
            msgspec.structs.replace(
                info, name=name + SEPARATOR + info.name, host=hello.host, session=hello.session
            )
            for name, hello in heard
            for info in hello.sources
        ]
        labels = dict.fromkeys(label for _, hello in heard for label in hello.labels)
        return msgspec.structs.replace(
            first, sources=sources, labels=list(labels), control="", replayed=False, time=0.0
        )

    def topic(self, name: str, topic: str) -> str:
        """The topic on which messages of an engine's topic go out."""
        kind, _, source = topic.removeprefix(PREFIX).partition("/")
        return f"{PREFIX}{kind}/{name}{SEPARATOR}{source}" if source else topic

    def _of_source(
        self, name: str, engine: _Engine, message: Estimate | Event | Graph | Status
    ) -> list[Message]:
        if message.source not in engine.sources and len(engine.sources) >= MAX_SOURCES:
            return []
        source = engine.sources.setdefault(message.source, _Source())
        renamed = msgspec.structs.replace(message, source=name + SEPARATOR + message.source)
        match renamed:
            case Estimate():
                source.t1 = max(source.t1, renamed.t1)
                return [renamed, *self._resumed(source, renamed)]
            case Status():
                source.status, source.is_lost = renamed, False
            case Event(event="on"):
                source.on[renamed.id] = renamed
                source.t1 = max(source.t1, renamed.time_s)
            case Event(id=key):
                if source.lost.pop(key, None):
                    return []  # its end is known already
                if began := source.on.pop(key, None):
                    renamed = msgspec.structs.replace(renamed, id=began.id)
        return [renamed]

    def _resumed(self, source: _Source, estimate: Estimate) -> list[Message]:
        """Beginnings, under new ids, of what was ended here and has gone on in the engine."""
        out: list[Message] = []
        for key, event in list(source.lost.items()):
            if event.label in estimate.active and not estimate.replayed:
                self._n_resumed += 1
                again = _anew(event, id=f"{key}+{self._n_resumed}", replayed=False)
                source.on[key] = again
                del source.lost[key]
                out.append(again)
        return out


def _anew(began: Event, /, **changes: Any) -> Event:
    """An event that is published now."""
    return msgspec.structs.replace(began, time=0.0, **changes)
