"""What the requests of the control endpoint do to a running engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from mmgat.model.card import Card
from mmgat.model.labels import LABELS
from mmgat.stream.bus.protocol import Hello, Mark, Message
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.control.requests import (
    MAX_MARK,
    REQUESTS,
    Counters,
    Decision,
    Describe,
    Description,
    MarkMoment,
    Mute,
    Pause,
    Request,
    Result,
    Resume,
    SetSensitivity,
    SetThresholds,
    SourceState,
    Statistics,
    Unmute,
)
from mmgat.stream.control.server import ControlServer
from mmgat.stream.engine.engine import Engine
from mmgat.stream.errors import SettingsError
from mmgat.stream.recognition.decision_thresholds import decision_thresholds, known_label
from mmgat.stream.settings import DecisionSettings

_NO_REQUEST: Final = "expected a request that this engine understands, found {}"


class EngineControls:
    """Answers requests; one thread calls it.

    A change of thresholds is announced by a new hello, so that every reader knows them.

    Args:
        engine: that runs.
        card: of its model.
        decision: settings that it was started with.
        hello: that it was announced with.
        announce: sends a message to all outputs.
        publisher, server: whose counters are told, if there are some.
    """

    def __init__(
        self,
        engine: Engine,
        card: Card,
        decision: DecisionSettings,
        hello: Hello,
        announce: Callable[[Message], None],
        publisher: Publisher | None = None,
        server: ControlServer | None = None,
    ) -> None:
        self._engine, self._card, self._settings = engine, card, decision
        self._hello, self._announce, self._publisher = hello, announce, publisher
        self._server = server
        self._thresholds = decision_thresholds(card, decision)

    def __call__(self, request: Request) -> Result:
        """Does what is asked.

        Raises:
            SettingsError: a label, a source or a value that is none.
        """
        match request:
            case Describe():
                sources = [
                    SourceState(source=name, paused=paused)
                    for name, paused in self._engine.paused.items()
                ]
                return Description(
                    hello=self._hello,
                    decision=self._decision(),
                    sources=sources,
                    requests=list(REQUESTS),
                )
            case Statistics():
                return self._counters()
            case SetThresholds(thresholds=thresholds):
                own = self._own() | {known_label(label): v for label, v in thresholds.items()}
                texts = tuple(f"{label}={v!r}" for label, v in own.items() if v is not None)
                return self._decide(threshold=texts)
            case SetSensitivity(sensitivity=sensitivity):
                return self._decide(sensitivity=sensitivity)
            case Mute(labels=labels):
                excluded = [*_split(self._settings.exclude), *map(known_label, labels)]
                return self._decide(exclude=",".join(dict.fromkeys(excluded)))
            case Unmute(labels=labels):
                return self._unmute([known_label(label) for label in labels])
            case Pause(source=source):
                return self._pause(source, True)
            case Resume(source=source):
                return self._pause(source, False)
            case MarkMoment(text=text):
                mark = Mark(text=text[:MAX_MARK], times_s=self._engine.positions_s)
                self._announce(mark)
                return mark
        raise SettingsError(_NO_REQUEST.format(type(request).__name__))

    def _decide(self, **changes: object) -> Decision:
        settings = msgspec.structs.replace(self._settings, **changes)
        thresholds = decision_thresholds(self._card, settings)
        self._settings, self._thresholds = settings, thresholds
        self._engine.set_thresholds(thresholds)
        model = msgspec.structs.replace(self._hello.model, thresholds=thresholds)
        self._hello = msgspec.structs.replace(self._hello, model=model)
        self._announce(self._hello)
        return self._decision()

    def _decision(self) -> Decision:
        return Decision(
            sensitivity=self._settings.sensitivity,
            thresholds=self._thresholds,
            set={label: v for label, v in self._own().items() if v is not None},
            muted=[label for label in LABELS if label not in self._thresholds],
        )

    def _own(self) -> dict[str, float | None]:
        """Thresholds that were set one by one."""
        pairs = (text.split("=") for text in self._settings.threshold)
        return {known_label(label): float(value) for label, value in pairs}

    def _unmute(self, labels: list[str]) -> Decision:
        excluded = [label for label in _split(self._settings.exclude) if label not in labels]
        only = _split(self._settings.labels)
        wanted = [*only, *(label for label in labels if only and label not in only)]
        return self._decide(exclude=",".join(excluded), labels=",".join(wanted))

    def _pause(self, source: str, paused: bool) -> SourceState:
        names = list(self._engine.paused)
        if source not in names:
            raise SettingsError(f"expected a source of {', '.join(names)}, found {source!r}")
        self._engine.set_paused(source, paused)
        return SourceState(source=source, paused=paused)

    def _counters(self) -> Counters:
        publisher, server = self._publisher, self._server
        return Counters(
            statuses=self._engine.statuses(),
            readers=publisher.readers if publisher else 0,
            refused=publisher.refused if publisher else 0,
            published=publisher.published if publisher else 0,
            requests=server.requests if server else 0,
            faults=server.faults if server else 0,
        )


def _split(labels: str) -> list[str]:
    return [known_label(part) for part in labels.split(",") if part.strip()]
