"""What the outputs do besides: facts that no other test would miss."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mmgat.stream.audio.source import Block
from mmgat.stream.bus.protocol import Message
from mmgat.stream.settings import RecordSettings
from mmgat.stream.sinks import session_log
from mmgat.stream.sinks.base import Sink
from mmgat.stream.sinks.group import SinkGroup
from mmgat.stream.sinks.own_files import OwnFiles
from mmgat.stream.sinks.recorder import Recorder
from mmgat.stream.sinks.recording_folder import RecordingFolder
from mmgat.stream.sinks.session_log import SessionLog
from tests.stream.bus.messages import STATUS


def test_a_sink_that_wants_audio_gets_each_block_with_its_stream_and_rate() -> None:
    class Ear(Sink):
        wants_audio = True
        heard: list[tuple[str, int, bool, int]]

        def open(self) -> None:
            self.heard = []

        def handle(self, message: Message) -> None: ...

        def handle_audio(self, stream: str, rate_hz: int, live: bool, block: Block) -> None:
            self.heard.append((stream, rate_hz, live, block.position))

    ear = Ear()
    group = SinkGroup([ear])
    group.open()
    for position in (0, 480):
        block = Block(position, np.zeros((480, 1), np.float32), 0.0)
        group.put_audio("lab", 48_000, False, block, wait=True)
    group.close()
    assert ear.heard == [("lab", 48_000, False, 0), ("lab", 48_000, False, 480)]


def test_the_part_of_a_line_that_a_full_disk_took_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = SessionLog(OwnFiles(tmp_path))
    log.add("first")
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
        with pytest.raises(OSError, match="No space left"):
            log.add("second")
    assert log.path.read_text() == "first\n"
    log.add("third")
    log.close()
    assert log.path.read_text() == "first\nsecond\nthird\n"


def test_the_finished_name_of_an_unfinished_clip_is_that_of_the_same_file(tmp_path: Path) -> None:
    files = OwnFiles(tmp_path)
    part, other = tmp_path / "part", tmp_path / "000001.000s_mic_drums.flac"
    part.write_bytes(b"sound")
    other.write_bytes(b"another clip")
    assert files.finished_name(part) is None
    (tmp_path / "a_copy").hardlink_to(part)
    assert files.finished_name(part) is None
    clip = tmp_path / "000002.000s_mic_drums.flac"
    clip.hardlink_to(part)
    assert files.finished_name(part) == clip


def test_of_the_lines_that_a_full_disk_refuses_the_newest_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_log, "MAX_PENDING", 3)
    log = SessionLog(OwnFiles(tmp_path))
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda *_: 0)
        for number in range(5):
            with pytest.raises(OSError, match="No space left"):
                log.add(f"line {number}")
    log.close()
    log.close()
    assert log.path.read_text() == "line 2\nline 3\nline 4\n"


def test_a_name_that_no_encoding_has_does_not_keep_a_line_from_the_log(tmp_path: Path) -> None:
    log = SessionLog(OwnFiles(tmp_path))
    log.add("a\udcff.wav")
    log.close()
    assert log.path.read_text() == "a\\udcff.wav\n"


def test_a_log_goes_on_in_another_file_once_it_is_larger_than_its_bound(tmp_path: Path) -> None:
    log = SessionLog(OwnFiles(tmp_path), part_bytes=10)
    sizes = []
    for _ in range(3):
        log.add("1234")
        sizes.append(log.size)
    log.add("1234")
    log.close()
    assert (sizes, log.size) == ([5, 10, 15], 5)
    assert log.path.name.endswith("Z-2.session.jsonl")


def test_a_status_is_logged_when_it_says_something_new(tmp_path: Path) -> None:
    settings = RecordSettings(tmp_path)
    recorder = Recorder(RecordingFolder(settings), settings)
    other = msgspec.structs.replace(STATUS, source="desk")
    changes: list[dict[str, object]] = [
        {}, {"captured": 10**9}, {"outages": 7}, {"xruns": 8}, {"lost_share": 0.5},
        {"lost_share": 0.6}, {"state": "ended"}, {"liveness": "alarmed"},
    ]  # fmt: skip
    now = STATUS
    for change in changes:
        now = msgspec.structs.replace(now, **change)
        recorder.handle(now)
        recorder.handle(other)
    recorder.close()
    (log,) = tmp_path.glob("*.session.jsonl")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    mine = [line for line in lines if line["source"] == STATUS.source]
    assert len(mine) == 6  # neither more samples nor a larger loss is news
    assert len(lines) == 7
