"""What a signal is in MQTT: states that Home Assistant finds by itself.

    <base>/status                           online or offline (last will)       retained
    <base>/<source>/available               online or offline                   retained
    <base>/<source>/<label>/state           ON or OFF                           retained
    <base>/<source>/<label>/score           0.00 to 1.00                        retained
    <base>/<source>/level                   dBFS                                retained
    <base>/<source>/event                   an event as JSON
    <base>/<source>/status                  counters as JSON                    retained
    homeassistant/<component>/<id>/config   discovery                           retained

Scores and levels change with every window, so they go out when they have moved by ``score_step``
or 1 dB. Source: home-assistant.io/integrations/mqtt, section MQTT discovery.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from mmgat.stream.bridges.base import Signal, SourceLost
from mmgat.stream.bridges.names import identifier, mqtt_part
from mmgat.stream.bus.protocol import Estimate, Event, Hello, Status, to_json

ONLINE, OFFLINE = "online", "offline"
LEVEL_STEP_DB: Final = 1.0


class Publication(NamedTuple):
    """One message for the broker."""

    topic: str
    payload: str
    retain: bool = True


@dataclass
class TopicMapper:
    """Maps signals to publications; remembers values to leave out those that have not moved.

    Attributes:
        base: first level of all topics.
        discovery: first level of Home Assistant's discovery; "" for none.
        score_step: by how much a score must move.
    """

    base: str = "mmgat"
    discovery: str = "homeassistant"
    score_step: float = 0.05

    def __post_init__(self) -> None:
        self._sent: dict[str, float] = {}
        self._known: set[str] = set()  # sources whose discovery was sent
        self._begun: set[str] = set()  # sources whose instruments were set to OFF
        self._hello: Hello | None = None

    def forget(self) -> None:
        """Sends everything again from here on: a broker may have lost what it kept."""
        self._sent.clear()
        self._known.clear()
        self._begun.clear()

    def publications(self, signal: Signal) -> list[Publication]:
        """What is to be published of a signal."""
        match signal:
            case Hello():
                if self._hello is not None and self._hello.session != signal.session:
                    self._begun.clear()
                self._hello = signal
                self._known.clear()
                return []
            case Event(source=source, label=label):
                topic = f"{self.base}/{mqtt_part(source)}"
                state = "ON" if signal.event == "on" else "OFF"
                return [
                    *self._announced(source),
                    Publication(f"{topic}/{mqtt_part(label)}/state", state),
                    Publication(f"{topic}/event", to_json(signal), retain=False),
                ]
            case Estimate(source=source):
                return [*self._announced(source), *self._moved(signal)]
            case Status(source=source):
                topic = f"{self.base}/{mqtt_part(source)}"
                state = ONLINE if signal.state == "running" else OFFLINE
                return [
                    *self._announced(source),
                    Publication(f"{topic}/available", state),
                    Publication(f"{topic}/status", to_json(signal)),
                ]
            case SourceLost(source=source):
                self._forget(source)
                return [Publication(f"{self.base}/{mqtt_part(source)}/available", OFFLINE)]
        return []

    def _forget(self, source: str) -> None:
        """Should it come back, everything of it is sent again."""
        base = f"{self.base}/{mqtt_part(source)}/"
        self._sent = {t: value for t, value in self._sent.items() if not t.startswith(base)}
        self._known.discard(source)
        self._begun.discard(source)

    def _moved(self, estimate: Estimate) -> list[Publication]:
        base = f"{self.base}/{mqtt_part(estimate.source)}"
        found = [(f"{base}/level", estimate.level_dbfs, LEVEL_STEP_DB, "{:.0f}")]
        found += [
            (f"{base}/{mqtt_part(label)}/score", score, self.score_step, "{:.2f}")
            for label, score in estimate.scores.items()
        ]
        publications = []
        for topic, value, step, form in found:
            if topic not in self._sent or abs(value - self._sent[topic]) >= step:
                self._sent[topic] = value
                publications.append(Publication(topic, form.format(value)))
        return publications

    def _announced(self, source: str) -> list[Publication]:
        """Discovery of a source, and OFF of all its instruments, before it is first named."""
        if self._hello is None or source in self._known:
            return []
        self._known.add(source)
        base = f"{self.base}/{mqtt_part(source)}"
        states = [
            Publication(f"{base}/{mqtt_part(label)}/state", "OFF")
            for label in self._hello.labels
            if source not in self._begun
        ]
        self._begun.add(source)
        return [*self._configurations(self._hello, source), *states] if self.discovery else states

    def _configurations(self, hello: Hello, source: str) -> list[Publication]:
        base, prefix = f"{self.base}/{mqtt_part(source)}", identifier(f"{self.base} {source}")
        shared = {
            "availability": [
                {"topic": f"{self.base}/status"}, {"topic": f"{base}/available"},
            ],
            "availability_mode": "all",
            "device": {
                "identifiers": [prefix], "name": f"Instruments at {source}",
                "manufacturer": "mmgat-stream", "model": f"{hello.model.name} {hello.model.version}",
                "sw_version": hello.version,
            },
            "origin": {"name": "mmgat-bridge", "sw_version": hello.version},
        }  # fmt: skip
        found = [self._configuration("sensor", f"{prefix}_level", shared, name="Level",
            state_topic=f"{base}/level", unit_of_measurement="dBFS", state_class="measurement",
            entity_category="diagnostic")]  # fmt: skip
        for label in hello.labels:
            part, name = mqtt_part(label), label.capitalize()
            unique = f"{prefix}_{identifier(label)}"
            found.append(self._configuration("binary_sensor", unique, shared, name=name,
                state_topic=f"{base}/{part}/state", device_class="sound"))  # fmt: skip
            found.append(self._configuration("sensor", f"{unique}_score", shared,
                name=f"{name} score", state_topic=f"{base}/{part}/score",
                state_class="measurement", entity_category="diagnostic",
                enabled_by_default=False))  # fmt: skip
        return found

    def _configuration(
        self, component: str, unique: str, shared: dict[str, Any], **fields: Any
    ) -> Publication:
        payload = {"unique_id": unique, "object_id": unique} | fields | shared
        return Publication(
            f"{self.discovery}/{component}/{unique}/config", json.dumps(payload, ensure_ascii=False)
        )
