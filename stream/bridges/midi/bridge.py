"""MIDI through mido and python-rtmidi: a virtual port, an existing one, or a raw device.

Where there is no MIDI system, as in a container or on a board without ALSA's sequencer, messages
go to a JACK server (``--api jack``) or as bytes to a device file (``--device /dev/snd/midiC1D0``, a
serial line, a pipe).
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from mmgat.stream.bridges.base import Bridge, ReceiverAway, Signal, required
from mmgat.stream.bridges.midi.mapping import (
    MidiMapping,
    MidiState,
    midi_messages,
    read_mapping,
    to_toml,
)
from mmgat.stream.bus.protocol import Estimate, Event, Hello
from mmgat.stream.errors import BridgeError
from mmgat.stream.setting_types import SettingsGroup

CLIENT_NAME: Final = "mmgat-stream"
DRAIN_S: Final = 0.5
"""JACK takes what was sent a period later and does not say when; a port closed before loses it."""

MAX_SOURCES: Final = 512
"""Sources beyond those of the hello that have a channel by their order."""

APIS: Final = {"alsa": "LINUX_ALSA", "jack": "UNIX_JACK", "coremidi": "MACOSX_CORE"}


class MidiSettings(SettingsGroup, frozen=True):
    """Which port, and what is sent there."""

    port: Annotated[
        str, Meta(description="Existing port to send to, or part of its name; else a virtual one.")
    ] = ""
    name: Annotated[str, Meta(description="Name of the virtual port.", min_length=1)] = (
        "instruments"
    )
    api: Annotated[
        Literal["auto", "alsa", "jack", "coremidi"], Meta(description="MIDI system to use.")
    ] = "auto"
    device: Annotated[
        Path | None, Meta(description="Device file to write the bytes to, in place of a port.")
    ] = None
    mapping: Annotated[
        Path | None, Meta(description="TOML file with channel, notes and controls by label.")
    ] = None

    learn: Annotated[
        Path | None,
        Meta(
            description="Ask for a note or controller for each label on a MIDI input, and keep what "
            "is played in this TOML file, for --mapping."
        ),
    ] = None


class MidiBridge(Bridge):
    """Plays a note while an instrument sounds, and moves a controller with its score."""

    Settings = MidiSettings
    settings: MidiSettings

    def __init__(self, settings: MidiSettings) -> None:
        super().__init__(settings)
        self._mapping = read_mapping(settings.mapping) if settings.mapping else MidiMapping()
        self._labels: list[str] = []
        self._sources: list[str] = []
        self._state = MidiState()
        self._told: list[str] = []
        self._port: Any = None
        self._input: Any = None
        if settings.learn is not None and settings.learn.exists():
            self._mapping = read_mapping(settings.learn)
        self._descriptor = -1
        if settings.device is None:
            self._mido = required("mido", "mido and python-rtmidi", "midi")
            self._rtmidi = required("rtmidi", "python-rtmidi", "midi")

    @property
    def receiver(self) -> str:
        """The port's or the device's name."""
        if self.settings.device is not None:
            return f"MIDI device {self.settings.device}"
        if self.settings.port:
            return f"MIDI port {self.settings.port!r}"
        return f"virtual MIDI port {self.settings.name!r}"

    def open(self) -> None:
        """Opens the port or the device."""
        self._state = MidiState()
        if self.settings.device is not None:
            self._open_device(self.settings.device)
        else:
            self._port = self._opened_port(output=True)
            if self.settings.learn is not None:
                self._input = self._opened_port(output=False)

    def send(self, signal: Signal) -> None:
        """Sends the messages of a signal."""
        if isinstance(signal, Hello):
            self._labels = signal.labels
            self._sources = [source.name for source in signal.sources]
            self._tell_unknown()
            if self._input is not None:
                self._ask()
            return
        if self.settings.learn is not None:
            self._learn(self.settings.learn)
            return
        if not isinstance(signal, Estimate | Event):
            return
        mapping = self._mapping.with_labels(self._labels)
        known = signal.source in self._sources
        if not known and len(self._sources) < MAX_SOURCES:
            self._sources.append(signal.source)
            known = True
        index = self._sources.index(signal.source) if known else 0
        for message in midi_messages(signal, mapping, index, self._state):
            self._write(message)

    def close(self) -> None:
        """Gives the port or the device back, once what was sent is on its way."""
        if self._port is not None:
            time.sleep(DRAIN_S)
        for port in (self._port, self._input):
            if port is not None:
                port.close()
        self._port = self._input = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _learn(self, path: Path) -> None:
        """Takes what was played since the last signal, which comes at least once a second."""
        for message in self._input.iter_pending() if self._input is not None else ():
            label = self._mapping.next_to_learn(self._labels)
            learned = self._mapping.learned(label, bytes(message.bytes())) if label else None
            if learned is not None:
                self._mapping = learned
                path.write_text(to_toml(learned), "utf-8")
                self._ask()

    def _tell_unknown(self) -> None:
        """Says once which labels of the mapping never sound."""
        unknown = self._mapping.unknown(self._labels)
        if unknown and unknown != self._told:
            print(
                f"mmgat-bridge midi: expected labels of {', '.join(self._labels)} in the mapping, "
                f"found {', '.join(map(repr, unknown))}, which never sounds",
                file=sys.stderr,
            )
        self._told = unknown

    def _ask(self) -> None:
        label = self._mapping.next_to_learn(self._labels)
        question = (
            f"{label}: play a note or move a controller" if label else "all labels are learned"
        )
        print(f"mmgat-bridge midi: {question} (kept in {self.settings.learn})", file=sys.stderr)

    def _write(self, message: bytes) -> None:
        if self._port is not None:
            self._port.send(self._mido.Message.from_bytes(message))
            return
        try:
            os.write(self._descriptor, message)
        except BlockingIOError:
            self.not_delivered += 1
        except OSError as error:
            raise ReceiverAway(
                f"expected {self.receiver} to take bytes, found {error.strerror}"
            ) from None

    def _open_device(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError as error:  # ENXIO: a pipe that nobody reads
            raise ReceiverAway(
                f"expected a MIDI device at {path}, found {error.strerror}"
            ) from None

    def _opened_port(self, *, output: bool) -> Any:
        settings = self.settings
        api = f"/{APIS[settings.api]}" if settings.api != "auto" else ""
        try:
            backend = self._mido.Backend(f"mido.backends.rtmidi{api}", load=True)
            make = backend.open_output if output else backend.open_input
            if not settings.port:
                return make(settings.name, virtual=True, client_name=CLIENT_NAME)
            names = backend.get_output_names() if output else backend.get_input_names()
            fitting = [name for name in names if settings.port.lower() in name.lower()]
            if settings.port in names or len(fitting) == 1:
                name = settings.port if settings.port in names else fitting[0]
                return make(name, client_name=CLIENT_NAME)
        except (self._rtmidi.RtMidiError, OSError, ValueError) as error:
            raise BridgeError(
                f"expected a MIDI system ({settings.api}), found none: {error}; load ALSA's sequencer "
                "with modprobe snd-seq, start JACK and choose --api jack, or name a --device"
            ) from None
        found = ", ".join(fitting or names) or "none"
        raise ReceiverAway(f"expected one MIDI port with {settings.port!r}, found {found}")
