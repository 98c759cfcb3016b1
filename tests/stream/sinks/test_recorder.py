"""What is kept of a scripted stream, read back from real FLAC files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmgat.stream.audio.source import Block
from mmgat.stream.bus.protocol import Event, Message
from mmgat.stream.errors import SettingsError
from mmgat.stream.settings import RecordSettings
from mmgat.stream.sinks.recorder import Recorder
from mmgat.stream.sinks.recording_folder import RecordingFolder

RATE_HZ = 8000
NOON = 1_800_000_000.0


def settings(folder: Path, **values: float) -> RecordSettings:
    return RecordSettings(folder, before_s=1.0, after_s=1.0, **values)


def ramp(start: int, end: int) -> np.ndarray:
    """Samples that say where in the stream they were, exact in 16 bits."""
    return ((np.arange(start, end) % 30_000) / 32768).astype(np.float32)[:, None]


def event(kind: str, label: str, t: float) -> Event:
    return Event(
        source="mic", event=kind, id=f"{label}-1", label=label, time_s=t, onset_s=t, score=0.9
    )  # type: ignore[arg-type]


class Session:
    """Blocks of half a second, and events between them."""

    def __init__(self, kept: RecordSettings, live: bool = False) -> None:
        self.folder = RecordingFolder(kept)
        self.recorder = Recorder(self.folder, kept, lambda: NOON, lambda: 50.0)
        self._live, self._position = live, 0

    def play(self, seconds: float) -> None:
        end = self._position + round(seconds * RATE_HZ)
        while self._position < end:
            stop = min(self._position + RATE_HZ // 2, end)
            block = Block(self._position, ramp(self._position, stop), 50.0)
            self.recorder.handle_audio("mic", RATE_HZ, self._live, block)
            self._position = stop

    def skip(self, seconds: float) -> None:
        self._position += round(seconds * RATE_HZ)

    def say(self, message: Message) -> None:
        self.recorder.handle(message)


def clips(folder: Path) -> dict[str, np.ndarray]:
    return {path.name: soundfile.read(path)[0] for path in sorted(folder.glob("*.flac"))}


def logged(folder: Path) -> list[dict]:
    return [
        json.loads(line)
        for path in sorted(folder.glob("*.session.jsonl"))
        for line in path.read_text().splitlines()
    ]


def test_a_clip_reaches_from_before_the_first_instrument_to_after_the_last(tmp_path: Path) -> None:
    session = Session(settings(tmp_path))
    session.play(6.0)
    session.say(event("on", "piano", 4.5))
    session.play(2.0)
    session.say(event("on", "voice", 7.0))
    session.say(event("off", "piano", 8.0))
    session.play(4.0)
    session.say(event("off", "voice", 9.0))
    session.play(4.0)
    session.recorder.close()
    ((name, samples),) = clips(tmp_path).items()
    assert name == "000003.500s_mic_piano+voice.flac"
    start = round(3.5 * RATE_HZ)
    np.testing.assert_allclose(samples, ramp(start, start + len(samples))[:, 0], atol=1e-6)
    assert start + len(samples) >= 10 * RATE_HZ
    (line,) = [line for line in logged(tmp_path) if line["type"] == "recording"]
    assert (line["file"], line["source"], line["t0"]) == (name, "mic", 3.5)
    assert line["labels"] == ["piano", "voice"]
    assert line["t1"] == 3.5 + len(samples) / RATE_HZ


def test_without_events_no_sound_is_kept(tmp_path: Path) -> None:
    session = Session(settings(tmp_path))
    session.play(30.0)
    session.recorder.close()
    assert clips(tmp_path) == {}


@pytest.mark.parametrize("block_between", [True, False])
def test_what_is_named_behind_a_gap_and_was_before_it_is_kept(
    tmp_path: Path, block_between: bool
) -> None:
    """As when an overflow follows an onset: the window before the gap is recognised after it."""
    session = Session(settings(tmp_path))
    session.play(4.0)
    session.skip(0.5)
    session.play(1.0)
    for label in ("drums", "bass"):
        session.say(event("on", label, 3.5))
    for label in ("drums", "bass"):
        session.say(event("off", label, 4.0))
    session.play(float(block_between))
    session.say(event("on", "flute", 4.75))
    session.play(6.0)
    session.say(event("off", "flute", 6.0))
    session.recorder.close()
    (first, before), (second, after) = clips(tmp_path).items()
    assert (first, second) == (
        "000002.500s_mic_drums+bass.flac",
        "000004.500s_mic_flute.flac",
    )
    np.testing.assert_allclose(before, ramp(20_000, 32_000)[:, 0], atol=1e-6)
    np.testing.assert_allclose(after[:100], ramp(36_000, 36_100)[:, 0], atol=1e-6)


def test_a_gap_ends_a_clip_so_that_times_within_stay_true(tmp_path: Path) -> None:
    session = Session(settings(tmp_path))
    session.play(3.0)
    session.say(event("on", "flute", 2.0))
    session.skip(5.0)
    session.play(1.0)
    session.say(event("off", "flute", 3.0))
    session.say(event("on", "drums", 8.0))
    session.play(1.0)
    session.recorder.close()
    (before, first), (after, second) = clips(tmp_path).items()
    assert (before, after) == ("000001.000s_mic_flute.flac", "000008.000s_mic_drums.flac")
    assert (len(first), len(second)) == (2 * RATE_HZ, 2 * RATE_HZ)


def test_what_sounds_for_long_goes_on_in_another_file_without_a_sample_missing(
    tmp_path: Path,
) -> None:
    session = Session(settings(tmp_path, longest_s=5.0))
    session.play(2.0)
    session.say(event("on", "organ", 1.0))
    session.play(12.0)
    session.recorder.close()
    parts = list(clips(tmp_path).values())
    assert [len(part) for part in parts] == [5 * RATE_HZ, 5 * RATE_HZ, 4 * RATE_HZ]
    np.testing.assert_allclose(np.concatenate(parts), ramp(0, 14 * RATE_HZ)[:, 0], atol=1e-6)


def test_live_clips_are_named_by_the_time_of_day(tmp_path: Path) -> None:
    session = Session(settings(tmp_path), live=True)
    session.play(3.0)  # the last block ends at NOON
    session.say(event("on", "piano", 2.0))
    session.recorder.close()
    assert list(clips(tmp_path)) == ["20270115T075958.000Z_mic_piano.flac"]


def test_the_oldest_recordings_go_and_files_of_others_stay(tmp_path: Path) -> None:
    foreign = tmp_path / "my-song.flac"
    foreign.write_bytes(b"x" * 300_000)
    os.utime(foreign, (1, 1))
    session = Session(settings(tmp_path, limit_gb=0.0002))  # 200 kB
    rng = np.random.default_rng(0)
    for number in range(6):
        clip = session.folder.begin(RATE_HZ, 1, f"00000{number}.000s_mic")
        noise = rng.uniform(-1, 1, (4 * RATE_HZ, 1)).astype(np.float32)
        session.folder.write(clip, noise)
        session.folder.finish(clip, ["drums"], {})
    session.recorder.close()
    ours = sorted(path.name for path in tmp_path.glob("0*.flac"))
    assert ours[-1] == "000005.000s_mic_drums.flac"
    assert 1 < len(ours) < 6
    assert sum(path.stat().st_size for path in tmp_path.glob("0*.flac")) < 270_000
    assert foreign.exists()


def test_a_disk_that_takes_nothing_costs_a_clip_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    session = Session(settings(folder))
    session.play(3.0)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    with pytest.raises(OSError, match="No such file or directory"):
        session.say(event("on", "piano", 2.0))
    with pytest.raises(OSError, match="No such file or directory"):
        session.play(2.0)
    session.recorder.close()
    assert session.folder.lost == 1
    assert not folder.exists()


def test_a_folder_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="expected a folder to record into"):
        RecordingFolder(settings(tmp_path / "file"))


def test_an_interruption_finishes_the_clip_at_once(tmp_path: Path) -> None:
    session = Session(settings(tmp_path))
    session.play(3.0)
    session.say(event("on", "flute", 2.0))
    block = Block(3 * RATE_HZ, ramp(0, 0), 50.0, interrupted=True)
    session.recorder.handle_audio("mic", RATE_HZ, False, block)
    session.say(event("off", "flute", 3.0))
    session.play(3.0)
    session.recorder.close()
    ((name, samples),) = clips(tmp_path).items()
    assert name == "000001.000s_mic_flute.flac"
    assert len(samples) == 2 * RATE_HZ


def test_a_clip_never_overlaps_the_one_before(tmp_path: Path) -> None:
    session = Session(settings(tmp_path))
    session.play(4.0)
    session.say(event("on", "flute", 2.0))
    session.say(event("off", "flute", 2.5))
    session.play(1.0)  # the first clip ends a second after the flute, and the next begins before
    session.say(event("on", "drums", 3.0))
    session.play(1.0)
    session.recorder.close()
    spans = sorted(
        (line["t0"], line["t1"]) for line in logged(tmp_path) if line["type"] == "recording"
    )
    assert len(spans) == 2
    assert spans[0][1] <= spans[1][0]
    first, second = clips(tmp_path).values()
    assert len(first) + len(second) == round((spans[1][1] - spans[0][0]) * RATE_HZ)


def test_the_ring_of_the_last_seconds_does_not_grow(tmp_path: Path) -> None:
    session = Session(settings(tmp_path))
    session.play(60.0)
    (stream,) = session.recorder._clips.values()
    held = sum(len(block.samples) for block in stream._ring)
    assert held <= (1.0 + 4.0 + 0.5) * RATE_HZ  # before the onset, an event's delay, a block
    session.recorder.close()
