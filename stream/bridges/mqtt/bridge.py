"""MQTT through paho-mqtt: retained states, a last will, discovery by Home Assistant."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from mmgat.stream.bridges.base import Bridge, ReceiverAway, Signal, required
from mmgat.stream.bridges.mqtt.topics import OFFLINE, ONLINE, TopicMapper
from mmgat.stream.errors import BridgeError
from mmgat.stream.setting_types import SettingsGroup

CONNECT_TIMEOUT_S: Final = 5.0
KEEPALIVE_S: Final = 20
MAX_WAITING: Final = 1000


class MqttSettings(SettingsGroup, frozen=True):
    """Which broker, and under which topics."""

    host: Annotated[str, Meta(description="Broker's host name or address.", min_length=1)] = (
        "localhost"
    )
    port: Annotated[int, Meta(description="Broker's port; 8883 with --tls.", ge=1, le=65_535)] = (
        1883
    )
    username: Annotated[str, Meta(description="User at the broker.")] = ""
    password_file: Annotated[
        Path | None,
        Meta(
            description="File with the password in its first line; or set MMGAT_BRIDGE_MQTT_PASSWORD."
        ),
    ] = None
    tls: Annotated[bool, Meta(description="Encrypt; the broker's certificate is checked.")] = False
    ca_file: Annotated[
        Path | None, Meta(description="Certificate that signed the broker's, if not a public one.")
    ] = None
    topic: Annotated[str, Meta(description="First part of all topics.", pattern="^[^+#$ ]+$")] = (
        "mmgat"
    )
    discovery: Annotated[
        str, Meta(description="Topic of Home Assistant's discovery, or off.", pattern="^[^+# ]+$")
    ] = "homeassistant"
    client_id: Annotated[str, Meta(description="Name at the broker.")] = ""
    score_step: Annotated[
        float, Meta(description="A score is sent when it has moved by so much.", ge=0, le=1)
    ] = 0.05
    qos: Annotated[Literal["0", "1"], Meta(description="Quality of service.")] = "1"


class MqttBridge(Bridge):
    """Publishes retained states to an MQTT broker, where Home Assistant finds them by itself."""

    Settings = MqttSettings
    settings: MqttSettings

    def __init__(self, settings: MqttSettings) -> None:
        super().__init__(settings)
        self._paho = required("paho.mqtt.client", "paho-mqtt", "mqtt")
        discovery = "" if settings.discovery == "off" else settings.discovery
        self._topics = TopicMapper(settings.topic, discovery, settings.score_step)
        self._password = _password(settings.password_file)
        self._client: Any = None
        self._answered = threading.Event()
        self._refusal = ""

    @property
    def receiver(self) -> str:
        """Host and port as a URL."""
        scheme = "mqtts" if self.settings.tls else "mqtt"
        return f"{scheme}://{self.settings.host}:{self.settings.port}"

    def open(self) -> None:
        """Connects and waits for the broker's answer, five seconds at most."""
        self._answered.clear()
        self._refusal = ""
        client = self._made_client()
        try:
            client.connect(self.settings.host, self.settings.port, KEEPALIVE_S)
        except (OSError, ValueError) as error:
            fault = getattr(error, "strerror", None) or str(error)
            raise self._away(fault) from None
        self._client = client
        client.loop_start()
        if not self._answered.wait(CONNECT_TIMEOUT_S):
            raise self._away(f"no answer within {CONNECT_TIMEOUT_S:.0f} s")
        if self._refusal:
            raise self._away(
                f"{self._refusal!r}: check --username and --password-file, and the broker's rules"
            )
        self._topics.forget()
        self._publish(f"{self.settings.topic}/status", ONLINE)

    def send(self, signal: Signal) -> None:
        """Publishes what follows from a signal."""
        if self._client is None or not self._client.is_connected():
            raise self._away(self._refusal or "the connection closed")
        for topic, payload, retain in self._topics.publications(signal):
            self._publish(topic, payload, retain)

    def close(self) -> None:
        """Says that it is offline, and disconnects."""
        client, self._client = self._client, None
        if client is None:
            return
        if client.is_connected():
            last = client.publish(f"{self.settings.topic}/status", OFFLINE, 1, retain=True)
            # The broker may go away meanwhile: then its will says so.
            with contextlib.suppress(RuntimeError, ValueError):
                last.wait_for_publish(CONNECT_TIMEOUT_S)
        client.disconnect()
        client.loop_stop()

    def _made_client(self) -> Any:
        settings, paho = self.settings, self._paho
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, settings.client_id, reconnect_on_failure=False
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_queued_messages_set(MAX_WAITING)
        client.will_set(f"{settings.topic}/status", OFFLINE, 1, retain=True)
        if settings.username:
            client.username_pw_set(settings.username, self._password)
        if settings.tls or settings.ca_file:
            try:
                client.tls_set(str(settings.ca_file) if settings.ca_file else None)
            except OSError as error:
                raise BridgeError(
                    f"--ca-file: expected a certificate, found {settings.ca_file}: {error}"
                ) from None
        client.on_connect = self._note_answer
        client.on_disconnect = self._note_end
        return client

    def _publish(self, topic: str, payload: str, retain: bool = True) -> None:
        done = self._client.publish(topic, payload, int(self.settings.qos), retain=retain)
        self.not_delivered += done.rc != self._paho.MQTT_ERR_SUCCESS

    def _note_answer(self, _c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        self._refusal = str(reason) if reason.is_failure else ""
        self._answered.set()

    def _note_end(self, _c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        self._refusal = self._refusal or (str(reason) if reason.is_failure else "")
        self._answered.set()

    def _away(self, fault: str) -> ReceiverAway:
        return ReceiverAway(
            f"expected an MQTT broker at {self.settings.host} port {self.settings.port}, found {fault}"
        )


def _password(path: Path | None) -> str | None:
    if path is None:
        return os.environ.get("MMGAT_BRIDGE_MQTT_PASSWORD")
    try:
        return path.read_text("utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise BridgeError(f"--password-file: expected a text file, found {path}: {error}") from None
