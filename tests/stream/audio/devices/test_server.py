"""A recording stays at its source, on an audio server of our own; a real one is in test_devices."""

from __future__ import annotations

import logging
import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest

import mmgat.stream.audio.devices.server as servers
from mmgat.stream.audio.devices.server import ServerRecording
from mmgat.stream.errors import DeviceError

LAB, HALL = 3, 8


class Server:
    """Two sources, and recordings: number -> number of the source and of the process."""

    def __init__(self) -> None:
        self.sources = {LAB: "lab", HALL: "hall"}
        self.recordings: dict[int, tuple[int, int]] = {}
        self.is_there = True

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None: ...

    def connect(self) -> None:
        if not self.is_there:
            raise FakePulse.PulseError

    def source_list(self) -> list[Any]:
        return [SimpleNamespace(index=n, name=name) for n, name in self.sources.items()]

    def source_info(self, number: int) -> Any:
        return SimpleNamespace(name=self.sources[number])

    def source_output_list(self) -> list[Any]:
        return [
            SimpleNamespace(
                index=number, source=at, proplist={"application.process.id": str(process)}
            )
            for number, (at, process) in self.recordings.items()
        ]

    def source_output_move(self, number: int, at: int) -> None:
        self.recordings[number] = (at, os.getpid())


class FakePulse:
    PulseError = type("PulseError", (Exception,), {})
    Pulse: Any


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(FakePulse, "Pulse", lambda *_, **__: server, raising=False)
    monkeypatch.setitem(sys.modules, "pulsectl", FakePulse)  # type: ignore[arg-type]
    monkeypatch.setattr(servers, "LOOK_S", 0.001)
    return server


def opened(recording: ServerRecording, server: Server, number: int, at: int) -> None:
    with recording.opening():
        server.recordings[number] = (at, os.getpid())


def ended(recording: ServerRecording) -> None:
    """Waits until it has seen what it watches for."""
    assert recording._thread
    recording._thread.join(20)
    assert not recording._thread.is_alive()


def test_the_first_source_that_the_server_gives_is_kept(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    recording = ServerRecording()
    opened(recording, server, 20, HALL)
    assert (recording.source, recording.fault, server.recordings[20][0]) == ("hall", "", HALL)
    with caplog.at_level(logging.WARNING):
        opened(recording, server, 21, LAB)
    assert (recording.source, server.recordings[21][0]) == ("hall", HALL)
    assert [record.message for record in caplog.records] == [
        "the audio server gave lab: moved back to hall"
    ]
    recording.close()


def test_while_the_source_is_away_no_other_is_recorded(server: Server) -> None:
    recording = ServerRecording()
    opened(recording, server, 20, HALL)
    del server.sources[HALL], server.recordings[20]
    with pytest.raises(DeviceError, match="expected the source 'hall', found 'lab' in its place"):
        opened(recording, server, 21, LAB)
    recording.close()


def test_a_recording_that_the_server_moves_is_a_fault_until_it_is_closed(server: Server) -> None:
    recording = ServerRecording()
    opened(recording, server, 20, LAB)
    assert recording.fault == ""
    server.recordings[20] = (HALL, os.getpid())
    ended(recording)
    assert recording.fault == "the audio server moved it from 'lab' to 'hall'"
    recording.close()
    assert (recording.fault, recording.source) == ("", "lab")


def test_a_recording_that_ends_is_no_fault(server: Server) -> None:
    recording = ServerRecording()
    opened(recording, server, 20, LAB)
    del server.recordings[20]
    ended(recording)
    assert recording.fault == ""


def test_recordings_of_others_and_of_before_are_left_alone(server: Server) -> None:
    server.recordings = {5: (HALL, os.getpid()), 6: (HALL, os.getpid() + 1)}
    recording = ServerRecording()
    opened(recording, server, 20, LAB)
    assert recording.source == "lab"
    assert server.recordings[5][0] == server.recordings[6][0] == HALL
    recording.close()


def test_watching_ends_with_the_recording_that_is_closed(server: Server) -> None:
    recording = ServerRecording()
    opened(recording, server, 20, LAB)
    thread = recording._thread
    recording.close()
    assert thread
    assert not thread.is_alive()


def test_without_a_server_nothing_is_watched(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.is_there = False
    recording = ServerRecording()
    opened(recording, server, 20, LAB)
    monkeypatch.setitem(sys.modules, "pulsectl", None)  # there is no libpulse
    opened(recording, server, 21, LAB)
    assert (recording.source, recording._thread) == ("", None)
