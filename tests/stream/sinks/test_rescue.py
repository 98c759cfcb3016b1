"""What a killed run leaves becomes a clip that players accept."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmgat.stream.sinks.own_files import OwnFiles
from mmgat.stream.sinks.rescue import rescue
from tests.conftest import Samples, melody

RATE_HZ = 8_000
LOG = "20270115T075958Z-1.session.jsonl"
STEM = "20270115T080000.000Z_mic_piano"
PART = f".{STEM}.20270115T075958Z-1.part"
INTERRUPTED = f"{STEM}_interrupted.flac"
BEFORE_LENGTH = 21
"""Bytes of a FLAC file before its length: four and a half bytes."""


@pytest.fixture
def files(tmp_path: Path) -> OwnFiles:
    (tmp_path / LOG).touch()
    return OwnFiles(tmp_path)


def killed(path: Path, samples: Samples) -> None:
    """A FLAC file as its writer leaves it when it is killed: without a length."""
    soundfile.write(path, samples, RATE_HZ, "PCM_16", format="FLAC")
    data = bytearray(path.read_bytes())
    data[BEFORE_LENGTH] &= 0xF0
    data[BEFORE_LENGTH + 1 : BEFORE_LENGTH + 5] = bytes(4)
    path.write_bytes(data)


def run(files: OwnFiles) -> list[dict[str, object]]:
    lines: list[str] = []
    rescue(files, files.folder / LOG, lines.append)
    return [json.loads(line) for line in lines]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != LOG)


def test_what_a_killed_clip_holds_is_a_clip_of_its_length(files: OwnFiles, tmp_path: Path) -> None:
    samples = melody(1.5, RATE_HZ, channels=2)
    killed(tmp_path / PART, samples)
    assert run(files) == [{"type": "recording", "file": INTERRUPTED, "seconds": 1.5}]
    assert names(tmp_path) == [INTERRUPTED]
    facts = soundfile.info(tmp_path / INTERRUPTED)
    assert (facts.frames, facts.samplerate, facts.channels) == (12_000, RATE_HZ, 2)
    sound, _ = soundfile.read(tmp_path / INTERRUPTED, dtype="float32")
    np.testing.assert_allclose(sound, samples, atol=2 / 32768)
    assert (tmp_path / INTERRUPTED).stat().st_mode & 0o777 == 0o600


def test_a_clip_of_the_same_name_is_not_overwritten(files: OwnFiles, tmp_path: Path) -> None:
    (tmp_path / INTERRUPTED).write_bytes(b"mine")
    killed(tmp_path / PART, melody(0.5, RATE_HZ))
    (line,) = run(files)
    assert line["file"] == f"{STEM}_interrupted-2.flac"
    assert (tmp_path / INTERRUPTED).read_bytes() == b"mine"


def test_a_clip_that_another_program_writes_is_left(files: OwnFiles, tmp_path: Path) -> None:
    descriptor = files.create_exactly(tmp_path / PART)
    assert run(files) == []
    os.close(descriptor)
    assert names(tmp_path) == [PART]


def test_a_clip_without_sound_is_removed(files: OwnFiles, tmp_path: Path) -> None:
    (tmp_path / PART).touch()
    assert run(files) == []
    assert names(tmp_path) == []


def test_of_a_clip_killed_after_it_got_its_name_the_second_name_is_removed(
    files: OwnFiles, tmp_path: Path
) -> None:
    killed(tmp_path / PART, melody(0.5, RATE_HZ))
    (tmp_path / f"{STEM}.flac").hardlink_to(tmp_path / PART)
    assert run(files) == [{"type": "recording", "file": f"{STEM}.flac"}]
    assert names(tmp_path) == [f"{STEM}.flac"]


def test_a_rescue_that_was_killed_is_begun_anew(files: OwnFiles, tmp_path: Path) -> None:
    killed(tmp_path / PART, melody(0.5, RATE_HZ))
    (tmp_path / PART).with_suffix(".rescue").write_bytes(b"fLaC")
    (line,) = run(files)
    assert (line["file"], line["seconds"]) == (INTERRUPTED, 0.5)
    assert names(tmp_path) == [INTERRUPTED]


def test_one_that_cannot_be_written_is_left_and_the_next_is_rescued(
    files: OwnFiles,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = PART.replace("piano", "flute")
    for age, name in enumerate((other, PART)):
        killed(tmp_path / name, melody(0.5, RATE_HZ))
        os.utime(tmp_path / name, (age, age))
    create = files.create

    def refuse_flute(before: str, after: str) -> tuple[int, Path]:
        if "flute" in before:
            raise OSError(28, "No space left on device")
        return create(before, after)

    monkeypatch.setattr(files, "create", refuse_flute)
    (line,) = run(files)
    assert line["file"] == INTERRUPTED
    assert names(tmp_path) == [other, INTERRUPTED]
    assert "a clip of an earlier run is left as it is: [Errno 28] No space left" in caplog.text
