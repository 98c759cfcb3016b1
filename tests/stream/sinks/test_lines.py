"""What is printed and written, line by line: the console, JSON lines, and the writer below them."""

from __future__ import annotations

import io
import json
import os
import select
import sys
from pathlib import Path

import msgspec
import pytest

from mmgat.stream.bus.protocol import Estimate, Event, Hello, Mark
from mmgat.stream.errors import SettingsError
from mmgat.stream.sinks.console import EventPrinter, event_line
from mmgat.stream.sinks.jsonl import JsonLines
from mmgat.stream.sinks.text import LineWriter

ON = Event(source="mic\x1b", event="on", id="p1", label="piano", time_s=1.5, onset_s=1.0, score=0.9)
OFF = Event(source="mic", event="off", id="p1", label="piano", time_s=83.26, onset_s=1.0, score=0.9)


def test_an_event_is_a_line_with_its_time_and_at_its_end_its_onset() -> None:
    assert event_line(ON) == "0:01.5  piano             on"
    assert event_line(OFF) == "1:23.3  piano             off  (since 0:01.0)"
    assert event_line(OFF, with_source=True).startswith("mic  1:23.3  piano")


def test_the_console_prints_events_to_standard_output_without_control_codes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    printed = io.StringIO()
    monkeypatch.setattr(sys, "stdout", printed)
    for with_source in (False, True):
        printer = EventPrinter(with_source)
        printer.open()
        printer.handle(ON)
        printer.close()
    assert printed.getvalue().splitlines() == [
        "0:01.5  piano             on",
        "mic\\x1b  0:01.5  piano             on",
    ]


def test_without_a_standard_output_the_console_prints_nothing_and_json_lines_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    printer = EventPrinter()
    printer.open()
    printer.handle(ON)
    with pytest.raises(SettingsError, match="expected a standard output to write JSON lines to"):
        JsonLines("-").open()


def test_json_lines_are_not_added_to_a_recording(tmp_path: Path) -> None:
    song = tmp_path / "song.flac"
    song.write_bytes(b"fLaC")
    with pytest.raises(SettingsError, match="found sound in"):
        JsonLines(str(song)).open()
    assert song.read_bytes() == b"fLaC"


def test_the_console_and_the_sum_lose_no_event_and_json_lines_take_all_that_is_said() -> None:
    assert (EventPrinter.wants, EventPrinter.lossless) == ((Event,), True)
    assert JsonLines.lossless
    assert set(JsonLines.wants) == {Hello, Estimate, Event, Mark}


def test_json_lines_go_to_standard_output_in_utf_8_whatever_its_encoding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    with open(writing, "w", encoding="latin-1") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        lines = JsonLines("-")
        lines.open()
        lines.handle(msgspec.structs.replace(ON, label="oud \u2713"))
    with open(reading, "rb") as file:
        assert json.loads(file.read().decode("utf-8"))["label"] == "oud \u2713"


def test_a_stream_has_its_own_encoding_and_what_it_lacks_is_escaped() -> None:
    reading, writing = os.pipe()
    with open(writing, "w", encoding="latin-1") as stream:
        writer = LineWriter.to_stream(stream)
        assert writer is not None
        assert writer.may_block
        writer.write("fl\u00fbte \u2713")
    with open(reading, "rb") as file:
        assert file.read() == b"fl\xfbte \\u2713\n"


def test_a_stream_without_a_descriptor_is_printed_to_and_never_waits() -> None:
    stream = io.StringIO()
    writer = LineWriter.to_stream(stream)
    assert writer is not None
    assert not writer.may_block
    writer.write("line")
    writer.close()
    assert stream.getvalue() == "line\n"
    assert LineWriter.to_stream(None) is None


def test_a_file_is_added_to_and_closed_and_no_child_inherits_it(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("before\n")
    writer = LineWriter.to_file(path)
    writer.write("after \u2713")
    descriptor = writer._target
    assert isinstance(descriptor, int)
    assert not os.get_inheritable(descriptor)
    writer.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    assert path.read_text("utf-8") == "before\nafter \u2713\n"


def test_a_new_file_of_json_lines_may_be_read_by_others_and_run_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open, modes = os.open, []

    def note(path: Path, flags: int, mode: int = 0o777) -> int:
        modes.append(mode)  # before the user's own mask
        return real_open(path, flags, mode)

    monkeypatch.setattr(os, "open", note)
    LineWriter.to_file(tmp_path / "new").close()
    assert modes == [0o666]


def test_the_standard_streams_stay_open() -> None:
    for descriptor in (0, 1, 2):
        LineWriter(descriptor).close()
        os.fstat(descriptor)


def test_a_descriptor_that_somebody_made_non_blocking_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    taken: list[bytes] = []

    def wait(readers: list[int], writers: list[int], broken: list[int]) -> None:
        assert (readers, writers, broken) == ([], [writing], [])
        taken.append(os.read(reading, 1 << 20))

    monkeypatch.setattr(select, "select", wait)
    writer, line = LineWriter(writing), "x" * 300_000  # more than a pipe holds
    writer.write(line)
    writer.close()
    with open(reading, "rb") as file:
        assert b"".join(taken) + file.read() == line.encode() + b"\n"
    assert len(taken) >= 2


@pytest.mark.parametrize("n_written", [0, 3])
def test_a_refused_line_is_ended_before_the_next_only_if_a_part_of_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_written: int
) -> None:
    real_write = os.write
    writer = LineWriter.to_file(path := tmp_path / "log")
    left = [n_written]

    def refuse(descriptor: int, data: memoryview) -> int:
        if not left[0]:
            raise OSError(28, "No space left on device")
        n_bytes, left[0] = left[0], 0
        return real_write(descriptor, data[:n_bytes])

    with monkeypatch.context() as full:
        full.setattr(os, "write", refuse)
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                writer.write("refused")
    writer.write("whole")
    writer.write("again")
    writer.close()
    assert path.read_text() == ("ref\n" if n_written else "") + "whole\nagain\n"
