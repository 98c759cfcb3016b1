"""Which note and which controller an instrument has, in TOML; and signals as MIDI messages.

    channel = 1                  # of the first source; each further source has the next one
    [notes]                      # sounds while the instrument is on; velocity is its score
    piano = 60
    [controls]                   # the instrument's score, 0 to 127
    piano = 20

Without a file the labels of the engine, in its order, have the notes from 36 up and the controllers
that MIDI leaves undefined. Source: MIDI 1.0 detailed specification, table III.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from mmgat.stream.bridges.base import Signal
from mmgat.stream.bus.protocol import Estimate, Event
from mmgat.stream.errors import BridgeError

FIRST_NOTE: Final = 36
UNDEFINED_CONTROLS: Final = (*range(20, 32), *range(102, 120))
NOTE_OFF, NOTE_ON, CONTROL_CHANGE = 0x80, 0x90, 0xB0
N_CHANNELS: Final = 16

SevenBits = Annotated[int, Meta(ge=0, le=127)]


class MidiMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Notes and controllers by label, on a channel from 1 to 16."""

    channel: Annotated[int, Meta(ge=1, le=N_CHANNELS)] = 1
    notes: dict[str, SevenBits] = {}
    controls: dict[str, SevenBits] = {}

    def with_labels(self, labels: list[str]) -> MidiMapping:
        """The mapping itself, or the default one of these labels where it names nothing."""
        if self.notes or self.controls:
            return self
        notes = {label: FIRST_NOTE + i for i, label in enumerate(labels[: 128 - FIRST_NOTE])}
        controls = dict(zip(labels, UNDEFINED_CONTROLS, strict=False))
        return MidiMapping(self.channel, notes, controls)

    def unknown(self, labels: list[str]) -> list[str]:
        """What it names and is none of these labels."""
        return [name for name in {**self.notes, **self.controls} if name not in labels]

    def next_to_learn(self, labels: list[str]) -> str | None:
        """The first label that has neither note nor controller, None where all have."""
        return next((x for x in labels if x not in self.notes and x not in self.controls), None)

    def learned(self, label: str, message: bytes) -> MidiMapping | None:
        """With a label on the note or controller of a message; None if the message is neither.

        Args:
            label: an instrument.
            message: a note that begins, or a controller that moves.
        """
        kind = message[0] & 0xF0 if len(message) == 3 else 0
        channel = (message[0] & 0x0F) + 1 if message else 1
        if kind == NOTE_ON and message[2]:
            return MidiMapping(channel, self.notes | {label: message[1]}, self.controls)
        if kind == CONTROL_CHANGE:
            return MidiMapping(channel, self.notes, self.controls | {label: message[1]})
        return None


def read_mapping(path: Path) -> MidiMapping:
    """The mapping in a TOML file.

    Raises:
        BridgeError: there is no such file, or something else in it.
    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), MidiMapping)
    except (OSError, ValueError) as error:  # also what is no TOML, text or mapping
        raise BridgeError(
            f"--mapping: expected channel, [notes] and [controls] in {path}, found: {error}"
        ) from None


def to_toml(mapping: MidiMapping) -> str:
    """The mapping as a TOML file."""
    lines = [f"channel = {mapping.channel}"]
    for name in ("notes", "controls"):
        table: dict[str, int] = getattr(mapping, name)
        lines += ["", f"[{name}]"]
        lines += [f"{json.dumps(k, ensure_ascii=False)} = {v}" for k, v in table.items()]
    return "\n".join(lines) + "\n"


class MidiState:
    """What a receiver was sent.

    Attributes:
        values: (channel, controller) -> the value it has.
        voices: (source, label) of what sounds -> the channel and note that it sounds on. Several may
            share one, which then sounds until all have ended.
    """

    def __init__(self) -> None:
        self.values: dict[tuple[int, int], int] = {}
        self.voices: dict[tuple[str, str], tuple[int, int]] = {}


def midi_messages(
    signal: Signal, mapping: MidiMapping, source_index: int, state: MidiState
) -> list[bytes]:
    """A signal as MIDI messages of three bytes.

    Args:
        signal: what happened.
        mapping: notes and controllers. Of labels that share a controller the highest score counts.
        source_index: place of the source among all; it chooses the channel.
        state: what was sent so far; what has not changed is not sent again.
    """
    channel = (mapping.channel - 1 + source_index) % N_CHANNELS
    match signal:
        case Event(source=source, label=label, event="on") if label in mapping.notes:
            voice = channel, mapping.notes[label]
            sounds = voice in state.voices.values()
            state.voices[source, label] = voice
            velocity = max(1, _seven_bits(signal.score))
            return [] if sounds else [bytes([NOTE_ON | channel, voice[1], velocity])]
        case Event(source=source, label=label, event="off"):
            ended = state.voices.pop((source, label), None)
            if ended is None or ended in state.voices.values():
                return []
            return [bytes([NOTE_OFF | ended[0], ended[1], 0])]
        case Estimate():
            values: dict[int, int] = {}
            for label, control in mapping.controls.items():
                value = _seven_bits(signal.scores.get(label, 0.0))
                values[control] = max(value, values.get(control, 0))
            moved = {c: v for c, v in values.items() if state.values.get((channel, c)) != v}
            state.values.update({(channel, control): v for control, v in moved.items()})
            return [bytes([CONTROL_CHANGE | channel, control, v]) for control, v in moved.items()]
    return []


def _seven_bits(score: float) -> int:
    return min(127, max(0, round(127 * score)))
