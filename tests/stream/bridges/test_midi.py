"""The MIDI bridge: its mapping, bytes to a device, and a port that takes its time."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import mido
import msgspec
import pytest

from mmgat.stream.bridges.midi.bridge import MidiBridge, MidiSettings
from mmgat.stream.bridges.midi.mapping import (
    UNDEFINED_CONTROLS,
    MidiMapping,
    MidiState,
    midi_messages,
    read_mapping,
    to_toml,
)
from mmgat.stream.errors import BridgeError
from tests.stream.bridges.running import bridge, publishing
from tests.stream.bus.messages import ESTIMATE, HELLO, event

MAPPING = MidiMapping(channel=3, notes={"a": 60}, controls={"a": 20})


def test_an_instrument_is_a_note_and_its_score_the_velocity() -> None:
    state = MidiState()
    assert midi_messages(event(), MAPPING, 0, state) == [bytes([0x92, 60, 114])]
    assert midi_messages(event(event="off"), MAPPING, 0, state) == [bytes([0x82, 60, 0])]
    assert midi_messages(event(score=0.0), MAPPING, 0, state) == [bytes([0x92, 60, 1])]


def test_each_source_has_its_channel() -> None:
    channels = [midi_messages(event(), MAPPING, i, MidiState())[0][0] & 15 for i in (0, 1, 13, 14)]
    assert channels == [2, 3, 15, 0]


def test_a_note_that_labels_share_sounds_until_the_last_has_ended() -> None:
    strings = MidiMapping(notes={"violin": 60, "cello": 60})
    state = MidiState()
    messages = [
        midi_messages(event(label=label, event=kind), strings, 0, state)
        for label, kind in [("violin", "on"), ("cello", "on"), ("violin", "off"), ("cello", "off")]
    ]
    assert messages == [[bytes([0x90, 60, 114])], [], [], [bytes([0x80, 60, 0])]]


def test_a_note_ends_on_the_channel_where_it_began() -> None:
    state = MidiState()
    midi_messages(event(), MAPPING, 0, state)
    assert midi_messages(event(event="off"), MAPPING, 1, state) == [bytes([0x82, 60, 0])]


def test_a_controller_follows_the_score_and_is_sent_when_it_moves() -> None:
    state = MidiState()
    scores = (0.5, 0.501, 1.0, 0.0)
    messages = [
        midi_messages(msgspec.structs.replace(ESTIMATE, scores={"a": score}), MAPPING, 0, state)
        for score in scores
    ]
    assert messages == [[bytes([0xB2, 20, v])] if v is not None else [] for v in (64, None, 127, 0)]


def test_a_controller_that_labels_share_follows_the_highest_score() -> None:
    strings = MidiMapping(controls={"violin": 20, "cello": 20})
    both = msgspec.structs.replace(ESTIMATE, scores={"violin": 1.0, "cello": 0.5})
    state = MidiState()
    assert midi_messages(both, strings, 0, state) == [bytes([0xB0, 20, 127])]
    assert midi_messages(both, strings, 0, state) == []


def test_labels_of_a_mapping_that_no_engine_has_are_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "map.toml"
    path.write_text("[notes]\na = 1\nPiano = 2\n[controls]\nPiano = 3")
    midi = MidiBridge(MidiSettings(device=tmp_path / "none", mapping=path))
    midi.send(HELLO)
    midi.send(HELLO)
    assert capsys.readouterr().err == (
        "mmgat-bridge midi: expected labels of a in the mapping, found 'Piano', which never sounds\n"
    )


def test_labels_without_a_file_have_notes_and_controllers_of_their_own() -> None:
    labels = [f"label {i}" for i in range(20)]
    mapping = MidiMapping().with_labels(labels)
    assert mapping.notes["label 0"] == 36
    assert len(set(mapping.notes.values())) == 20
    assert [*mapping.controls.values()] == [*UNDEFINED_CONTROLS[:20]]
    assert MAPPING.with_labels(labels) is MAPPING


def test_a_mapping_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    mapping = msgspec.structs.replace(MAPPING, notes={"mallet percussion": 1, 'a "b" é': 2})
    path.write_text(to_toml(mapping), "utf-8")
    assert read_mapping(path) == mapping


@pytest.mark.parametrize("text", ["notes = 3", "[notes]\na = 128", "channel = 17", "x = 1", "="])
def test_what_is_no_mapping_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "map.toml"
    path.write_text(text)
    with pytest.raises(BridgeError, match="--mapping: expected channel"):
        read_mapping(path)


def test_a_label_learns_a_note_or_a_controller() -> None:
    learned = MidiMapping().learned("a", bytes([0x94, 48, 90]))
    assert learned == MidiMapping(5, {"a": 48}, {})
    assert MidiMapping().learned("a", bytes([0xB0, 7, 1])) == MidiMapping(1, {}, {"a": 7})
    assert MidiMapping().learned("a", bytes([0x94, 48, 0])) is None
    assert learned.next_to_learn(["a", "b"]) == "b"


def test_a_device_gets_the_bytes(tmp_path: Path) -> None:
    pipe = tmp_path / "midi"
    os.mkfifo(pipe)
    mapping = tmp_path / "map.toml"
    mapping.write_text(to_toml(MAPPING))
    with (
        publishing("lab") as publisher,
        bridge("midi", publisher.address, "--device", pipe, "--mapping", mapping) as process,
    ):
        publisher(event())
        assert "expected a MIDI device" in process.err.until("trying again")
        with pipe.open("rb", buffering=0) as reader:
            found = b""
            while bytes([0x92, 60, 114]) not in found:
                found += reader.read(64)
            assert process.terminate() == 0
            while bytes([0x82, 60, 0]) not in found:  # no note hangs
                found += reader.read(64)


class LateBackend(ModuleType):
    """A MIDI system that takes what was sent a period later, as JACK does; a closed port loses it.

    Attributes:
        now: seconds on its own clock.
        taken: the bytes that it got.
        closed: the port was given back.
    """

    def __init__(self) -> None:
        super().__init__("mido.backends.rtmidi")
        self.now, self.taken, self.closed = 0.0, [], False
        self.waiting: list[tuple[float, bytes]] = []

    def Output(self, name: str, **options: object) -> LateBackend:
        assert options["virtual"]
        return self

    def send(self, message: mido.Message) -> None:
        self.waiting.append((self.now + 0.1, bytes(message.bytes())))

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.taken += [message for at, message in self.waiting if at <= self.now]
        self.waiting = [(at, message) for at, message in self.waiting if at > self.now]

    def close(self) -> None:
        self.closed = True


def test_a_port_is_given_back_when_all_that_was_sent_is_on_its_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    system = LateBackend()
    monkeypatch.setitem(sys.modules, "mido.backends.rtmidi", system)
    monkeypatch.setattr("mmgat.stream.bridges.midi.bridge.time.sleep", system.sleep)
    played = MidiBridge(MidiSettings())
    played.open()
    played.send(msgspec.structs.replace(HELLO, labels=["a"]))
    played.send(event())
    system.sleep(1.0)
    played.send(event(event="off"))
    played.close()
    assert [message[0] >> 4 for message in system.taken] == [9, 8]
    assert system.closed


def test_without_a_midi_system_it_says_what_to_do() -> None:
    with bridge(
        "midi", "tcp://127.0.0.1:1", "--api", "jack", JACK_DEFAULT_SERVER="none"
    ) as process:
        line = process.err.until("expected a MIDI system")
        assert "--device" in line
        assert process.popen.wait(60) == 1
