"""What the requests of the control endpoint do to a running engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import msgspec

from mmgat.model.card import Card
from mmgat.model.errors import ModelError
from mmgat.model.labels import LABELS
from mmgat.stream.bus.protocol import Hello, Mark, Message
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.control.answers import (
    Counters,
    Decision,
    Description,
    DeviceInfo,
    DeviceLevel,
    DeviceList,
    Result,
    SourceState,
)
from mmgat.stream.control.requests import (
    MAX_MARK,
    REQUESTS,
    Describe,
    Devices,
    Listen,
    MarkMoment,
    Mute,
    Pause,
    Request,
    Resume,
    SetSensitivity,
    SetThresholds,
    Statistics,
    Switch,
    Unmute,
)
from mmgat.stream.control.server import ControlServer
from mmgat.stream.engine.engine import Engine
from mmgat.stream.errors import SettingsError
from mmgat.stream.recognition.decision_thresholds import decision_thresholds, known_label
from mmgat.stream.settings import DecisionSettings

if TYPE_CHECKING:
    from mmgat.stream.audio.devices.choice import DevicePreview

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
        self._devices: DevicePreview | None = None

    def __call__(self, request: Request) -> Result:
        """Does what is asked.

        Raises:
            SettingsError: a label, a source or a value that is none.
        """
        match request:
            case Describe():
                sources = [self._source_state(name) for name in self._engine.paused]
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
            case Devices():
                found = self._preview().devices()
                return DeviceList(devices=[DeviceInfo(**asdict(device)) for device in found])
            case Listen(device=device):
                return DeviceLevel(device=device, level_dbfs=self._preview().level(device))
            case Switch(source=source, device=device):
                return self._switch(source, device)
            case MarkMoment(text=text):
                mark = Mark(text=text[:MAX_MARK], times_s=self._engine.positions_s)
                self._announce(mark)
                return mark
        raise SettingsError(_NO_REQUEST.format(type(request).__name__))

    def _decide(self, **changes: object) -> Decision:
        settings = msgspec.structs.replace(self._settings, **changes)
        try:
            thresholds = decision_thresholds(self._card, settings)
        except ModelError as error:
            raise SettingsError(str(error)) from None
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
        self._check(source)
        self._engine.set_paused(source, paused)
        return self._source_state(source)

    def _switch(self, source: str, device: str) -> SourceState:
        """Another device for a source; a new hello says which."""
        self._check(source)
        if self._devices is not None:
            self._devices.close()
        switched, name = self._engine.switch(source, device), self._engine.devices[source]
        infos = [
            msgspec.structs.replace(info, device=name) if info.name in switched else info
            for info in self._hello.sources
        ]
        self._hello = msgspec.structs.replace(self._hello, sources=infos)
        self._announce(self._hello)
        return self._source_state(source)

    def _check(self, source: str) -> None:
        names = list(self._engine.paused)
        if source not in names:
            raise SettingsError(f"expected a source of {', '.join(names)}, found {source!r}")

    def _source_state(self, name: str) -> SourceState:
        engine = self._engine
        return SourceState(source=name, paused=engine.paused[name], device=engine.devices[name])

    def _preview(self) -> DevicePreview:
        """What looks at devices that are not recognised; PortAudio is loaded when it is needed."""
        if self._devices is None:
            from mmgat.stream.audio.devices.choice import DevicePreview

            self._devices = DevicePreview()
        return self._devices

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
