"""What the outputs do besides: facts that no other test would miss."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mmgat.stream.audio.source import Block
from mmgat.stream.bus.protocol import Message
from mmgat.stream.sinks.base import Sink
from mmgat.stream.sinks.group import SinkGroup
from mmgat.stream.sinks.own_files import OwnFiles
from mmgat.stream.sinks.session_log import SessionLog


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
