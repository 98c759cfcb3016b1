"""Files that libsndfile does not read, through FFmpeg; all are made here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from mmgat.stream.audio.av_file import AvSource
from mmgat.stream.audio.sound_file import open_sound
from mmgat.stream.errors import SourceError
from tests.conftest import melody

pytestmark = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="needs ffmpeg (apt install ffmpeg)"
)
RATE_HZ = 44_100
SECONDS = 3.0
FORMATS = {
    "m4a": "-movflags faststart",
    "mp4": "-f lavfi -i color=d=5:s=16x16 -c:v mpeg4",  # the picture is longer than the sound
    "mka": "-c:a aac",
    "avi": "",
    "wv": "",
}


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("av") / "clip.wav"
    soundfile.write(path, melody(SECONDS, RATE_HZ, 2), RATE_HZ, subtype="PCM_16")
    return path


def converted(wav: Path, path: Path, options: str) -> Path:
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(wav), *options.split(), str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


def read(source: AvSource) -> np.ndarray:
    blocks: list[np.ndarray] = []
    while (block := source.read()) is not None:
        assert block.position == sum(map(len, blocks))
        assert block.samples.dtype == np.float32
        blocks.append(block.samples)
    assert source.read_frames == sum(map(len, blocks))
    return np.concatenate(blocks)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_whole_file_is_complete_and_one_cut_in_the_middle_says_so(
    wav: Path, tmp_path: Path, suffix: str
) -> None:
    path = converted(wav, tmp_path / f"clip.{suffix}", FORMATS[suffix])
    with AvSource(path) as source:
        samples = read(source)
    assert (source.sample_rate_hz, source.channels, source.name) == (RATE_HZ, 2, path.name)
    assert (source.complete, source.health.warning) == (True, "")
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.1)
    content = path.read_bytes()
    moov = content.index(b"moov") if suffix == "mp4" else 0  # its index is at the end
    path.write_bytes(content[: len(content) // 2] + content[max(moov - 4, len(content)) :])
    if suffix == "mp4":
        with pytest.raises(SourceError, match="libsndfile or FFmpeg reads"):
            AvSource(path).probe()
        return
    with AvSource(path) as cut:
        n_found = len(read(cut))
    assert not cut.complete
    assert 0.2 * SECONDS < n_found / RATE_HZ < 0.8 * SECONDS
    assert f"found {n_found / RATE_HZ:.1f} s: the file is cut or damaged" in cut.health.warning


def test_its_samples_are_those_of_the_file_in_half_seconds_and_again_when_opened_again(
    wav: Path, tmp_path: Path
) -> None:
    expected, _ = soundfile.read(wav, dtype="float32")
    source = AvSource(converted(wav, tmp_path / "clip.wv", ""))
    source.probe()
    assert source.expected_frames == len(expected)
    for _ in range(2):
        with source:
            first = source.read()
            assert first is not None
            assert RATE_HZ // 2 <= len(first.samples) < RATE_HZ
            rest = []
            while (block := source.read()) is not None:
                rest.append(block.samples)
        np.testing.assert_array_equal(np.concatenate([first.samples, *rest]), expected)
        assert not source.live


def test_stopping_it_makes_the_next_read_the_last(wav: Path, tmp_path: Path) -> None:
    with AvSource(converted(wav, tmp_path / "clip.wv", "")) as source:
        assert source.read() is not None
        source.stop()
        assert source.read() is None
    assert source.health.warning == ""


def test_what_has_no_sound_or_only_damage_is_refused_each_with_its_reason(
    wav: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "silent.mp4"
    command = "ffmpeg -v error -f lavfi -i color=d=1:s=16x16 -c:v mpeg4"
    subprocess.run([*command.split(), str(picture)], check=True, timeout=60)
    with pytest.raises(SourceError, match="expected sound in .*found a file without any"):
        AvSource(picture).probe()
    damaged = converted(wav, tmp_path / "clip.m4a", FORMATS["m4a"])
    content = damaged.read_bytes()
    sound = content.index(b"mdat") + 4
    damaged.write_bytes(content[:sound] + bytes(len(content) - sound))
    with (
        AvSource(damaged) as source,
        pytest.raises(SourceError, match="expected sound in .*found only damaged data"),
    ):
        read(source)
    with pytest.raises(SourceError, match="libsndfile or FFmpeg reads, found .*No such file"):
        AvSource(tmp_path / "none.m4a").probe()


def test_a_codec_that_ffmpeg_has_not_is_told(wav: Path, tmp_path: Path) -> None:
    content = bytearray(wav.read_bytes())
    content[20:22] = b"\x34\x12"  # the format's number
    unknown = tmp_path / "unknown.wav"
    unknown.write_bytes(content)
    with pytest.raises(SourceError, match="expected sound in .* decodes, found another codec"):
        open_sound(unknown)


def test_the_source_of_a_file_is_libsndfiles_where_that_reads_it(wav: Path, tmp_path: Path) -> None:
    with open_sound(wav) as source:
        assert not isinstance(source, AvSource)
    with open_sound(converted(wav, tmp_path / "clip.wv", "")) as source:
        assert isinstance(source, AvSource)


def test_raw_samples_are_sent_to_standard_input(tmp_path: Path) -> None:
    raw = tmp_path / "take1.raw"
    raw.write_bytes(np.random.default_rng(0).bytes(9000))
    with pytest.raises(SourceError, match="mmgat-stream --stdin takes raw PCM"):
        open_sound(raw)


@pytest.mark.parametrize(
    ("tag", "seconds"), [("01:02:03.500", 3723.5), ("00:00:09", 9.0), ("soon", 0.0), ("", 0.0)]
)
def test_matroskas_length_is_in_hours_minutes_and_seconds(tag: str, seconds: float) -> None:
    source = AvSource(Path("clip.mka"))
    source._container = SimpleNamespace(streams=[1, 2], duration=5_000_000)
    stream = SimpleNamespace(duration=None, metadata={"DURATION": tag})
    assert source._duration_s(stream) == seconds


def test_the_length_of_a_file_is_that_of_its_sound_if_nothing_else_is_in_it() -> None:
    source = AvSource(Path("clip.mka"))
    stream = SimpleNamespace(duration=None, metadata={})
    source._container = SimpleNamespace(streams=[1], duration=5_000_000)
    assert source._duration_s(stream) == 5.0
    source._container.duration = None
    assert source._duration_s(stream) == 0.0
    stream.duration, stream.time_base = 90, Fraction(1, 30)
    assert source._duration_s(stream) == 3.0


def test_at_real_time_pace_the_same_samples_come_in_blocks_of_5_ms(
    wav: Path, tmp_path: Path
) -> None:
    path = converted(wav, tmp_path / "clip.m4a", "-t 0.3")
    with AvSource(path) as source:
        whole = read(source)
    begun = time.monotonic()
    with AvSource(path, paced=True) as source:
        assert source.live
        first = source.read()
        assert first is not None
        assert len(first.samples) == round(0.005 * RATE_HZ)
        blocks = [first.samples]
        while (block := source.read()) is not None:
            blocks.append(block.samples)
    assert time.monotonic() - begun >= len(whole) / RATE_HZ
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_a_paced_file_ends_when_it_is_stopped(wav: Path, tmp_path: Path) -> None:
    with AvSource(converted(wav, tmp_path / "clip.m4a", ""), paced=True) as source:
        assert source.read() is not None
        source.stop()
        assert source.read() is None


def test_mmgat_stream_takes_what_only_ffmpeg_reads(
    wav: Path, tmp_path: Path, untrained_checkpoint: Path
) -> None:
    path, log = converted(wav, tmp_path / "clip.m4a", ""), tmp_path / "log.jsonl"
    done = subprocess.run(
        [
            sys.executable, "-m", "mmgat.stream", "--file", str(path), "--speed", "max",
            "--model", str(untrained_checkpoint), "--no-dashboard", "--jsonl", str(log),
        ],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    heard = [json.loads(line) for line in log.read_text().splitlines()]
    ends = [row["t1"] for row in heard if row["type"] == "estimate"]
    assert max(ends) >= SECONDS - 0.5
