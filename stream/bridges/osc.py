"""OSC over UDP: a bundle of scores a window, and messages when an instrument begins or ends.

    /mmgat/<source>/<label>/score   f: 0..1                     every window
    /mmgat/<source>/<label>/active  f: 1 or 0                   when it changes
    /mmgat/<source>/<label>/on      f: score, s: id             an instrument begins
    /mmgat/<source>/<label>/off     f: seconds it sounded, s: id
    /mmgat/<source>/level           f: dBFS                     every window
    /mmgat/<source>/running         f: 1 or 0                   once a second

A bundle's time tag is the time at which the engine published, plus ``delay_ms``.
Source: OSC 1.0 specification, opensoundcontrol.stanford.edu.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Annotated, Any, Final

from msgspec import Meta

from mmgat.stream.bridges.base import Bridge, ReceiverAway, Signal, SourceLost, required
from mmgat.stream.bridges.names import osc_part
from mmgat.stream.bus.protocol import Estimate, Event, Status
from mmgat.stream.errors import BridgeError
from mmgat.stream.setting_types import SettingsGroup

MAX_BUNDLE_BYTES: Final = 1400
"""Of an unfragmented datagram in an Ethernet network, with room for headers."""

OscMessage = tuple[str, list[float | str]]
"""Address and arguments."""


class OscSettings(SettingsGroup, frozen=True):
    """Where and how OSC is sent."""

    host: Annotated[str, Meta(description="Receiver's host name or address.", min_length=1)] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(description="Receiver's UDP port.", ge=1, le=65_535)] = 9000
    prefix: Annotated[
        str, Meta(description="First part of every address.", pattern="^(/[!-~]+)?$")
    ] = "/mmgat"
    no_bundles: Annotated[
        bool, Meta(description="Send every message alone, for receivers that do not read bundles.")
    ] = False
    no_scores: Annotated[
        bool, Meta(description="Send only what changes, no scores and no level.")
    ] = False
    delay_ms: Annotated[
        float,
        Meta(
            description="Added to time tags, so that receivers that wait for them play evenly.",
            ge=0,
            le=60_000,
        ),
    ] = 0.0


def osc_messages(signal: Signal, prefix: str = "/mmgat", scores: bool = True) -> list[OscMessage]:
    """A signal as OSC messages.

    Args:
        signal: what happened.
        prefix: first part of every address.
        scores: also what changes with every window.
    """
    match signal:
        case Estimate(source=source) if scores:
            base = f"{prefix}/{osc_part(source)}"
            found: list[OscMessage] = [
                (f"{base}/{osc_part(label)}/score", [float(score)])
                for label, score in signal.scores.items()
            ]
            return [*found, (f"{base}/level", [float(signal.level_dbfs)])]
        case Event(source=source, label=label):
            base = f"{prefix}/{osc_part(source)}/{osc_part(label)}"
            is_on = signal.event == "on"
            value = signal.score if is_on else signal.time_s - signal.onset_s
            return [
                (f"{base}/active", [float(is_on)]),
                (f"{base}/{signal.event}", [float(value), signal.id]),
            ]
        case Status(source=source, state=state):
            return [(f"{prefix}/{osc_part(source)}/running", [float(state == "running")])]
        case SourceLost(source=source):
            return [(f"{prefix}/{osc_part(source)}/running", [0.0])]
    return []


class OscBridge(Bridge):
    """Sends datagrams to one receiver.

    UDP tells of a receiver on this machine that is not there, and of few others: what such a host
    refuses is counted as not delivered.
    """

    Settings = OscSettings
    settings: OscSettings

    def __init__(self, settings: OscSettings) -> None:
        super().__init__(settings)
        self._builders = (
            required("pythonosc.osc_message_builder", "python-osc", "osc"),
            required("pythonosc.osc_bundle_builder", "python-osc", "osc"),
        )
        self._socket: socket.socket | None = None

    @property
    def receiver(self) -> str:
        """Host and port as a URL."""
        return f"osc://{self.settings.host}:{self.settings.port}"

    def open(self) -> None:
        """Looks the host up; nothing is sent yet."""
        host, port = self.settings.host, self.settings.port
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_DGRAM
            )[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.connect(address)
            self._socket.setblocking(False)
        except OSError as error:
            raise ReceiverAway(
                f"expected a host {host} that receives OSC, found {error.strerror or error}"
            ) from None
        except UnicodeError:
            raise BridgeError(f"expected a host name, found {host!r}: change --host") from None

    def send(self, signal: Signal) -> None:
        """Sends the bundles, or messages, of a signal."""
        settings = self.settings
        messages = osc_messages(signal, settings.prefix, not settings.no_scores)
        if not messages or self._socket is None:
            return
        built = [self._built(address, values) for address, values in messages]
        published = getattr(signal, "time", 0.0)
        refused = False
        for packet in built if settings.no_bundles else self._bundles(built, published):
            try:
                self._socket.send(packet.dgram)
            except BlockingIOError:
                refused = True
            except ConnectionRefusedError:  # of the datagram before; this one was not sent
                refused = True
            except OSError as error:
                raise ReceiverAway(
                    f"expected {self.receiver} to be reached, found {error.strerror}"
                ) from None
        self.not_delivered += refused

    def close(self) -> None:
        """Closes the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _built(self, address: str, values: list[float | str]) -> Any:
        builder = self._builders[0].OscMessageBuilder(address)
        for value in values:
            builder.add_arg(value, "s" if isinstance(value, str) else "f")
        return builder.build()

    def _bundles(self, messages: list[Any], published: float) -> Iterator[Any]:
        """Bundles that fit into a datagram each, all with the same time tag."""
        module = self._builders[1]
        tag = published + self.settings.delay_ms / 1000 if published else module.IMMEDIATELY
        bundle, size = module.OscBundleBuilder(tag), 16
        for message in messages:
            if size > 16 and size + 4 + message.size > MAX_BUNDLE_BYTES:
                yield bundle.build()
                bundle, size = module.OscBundleBuilder(tag), 16
            bundle.add_content(message)
            size += 4 + message.size
        yield bundle.build()
