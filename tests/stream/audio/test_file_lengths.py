"""Files whose header says too little or too much; all are made here, most of them by ffmpeg."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmgat.stream.audio.container import TAIL_BYTES, Container
from mmgat.stream.audio.file import TOLERANCE_FRAMES, FileSource
from mmgat.stream.audio.patched_file import PatchedFile
from mmgat.stream.errors import SourceError
from tests.conftest import melody

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="needs ffmpeg (apt install ffmpeg)"
)
RATE_HZ = 44_100
SECONDS = 3.0


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lengths") / "clip.wav"
    soundfile.write(path, melody(SECONDS, RATE_HZ), RATE_HZ, subtype="PCM_16")
    return path


OPTIONS = {
    "vbr.mp3": "-write_xing 0 -q:a 4",
    "opus": "-ar 48000",
    "au": "-c:a pcm_s16be",
    "64.wav": "-rf64 always",
    "ms.wav": "-c:a adpcm_ms",
}


def converted(wav: Path, path: Path, *options: str) -> Path:
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(wav), *options, str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


def read(path: Path) -> tuple[FileSource, np.ndarray]:
    with FileSource(path) as source:
        blocks = []
        while (block := source.read()) is not None:
            assert block.position == sum(map(len, blocks))
            blocks.append(block.samples)
    return source, np.concatenate(blocks)


def assert_whole(path: Path, tolerance_s: float = 0.0) -> FileSource:
    source, samples = read(path)
    assert source.complete
    assert len(samples) == source.read_frames
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=tolerance_s + 1e-9)
    return source


def with_sizes(wav: Path, path: Path, riff: bytes, data: bytes) -> Path:
    content = bytearray(wav.read_bytes())
    at = content.index(b"data")
    content[4:8], content[at + 4 : at + 8] = riff, data
    path.write_bytes(content)
    return path


def test_a_wav_of_a_recorder_that_was_killed_is_read_to_its_end_with_a_warning(
    wav: Path, tmp_path: Path
) -> None:
    killed = with_sizes(wav, tmp_path / "killed.wav", bytes(4), bytes(4))
    source, samples = read(killed)
    np.testing.assert_array_equal(samples, read(wav)[1])
    assert source.complete
    assert (
        source.health.warning == "'killed.wav' has no length in its header: it is read to its end"
    )


def test_a_wav_that_declares_far_less_than_it_has_is_read_to_its_end(
    wav: Path, tmp_path: Path
) -> None:
    stale = with_sizes(wav, tmp_path / "stale.wav", bytes(4), (8820).to_bytes(4, "little"))
    assert assert_whole(stale).health.warning


@needs_ffmpeg
@pytest.mark.parametrize(
    ("suffix", "mark", "behind", "n_bytes"),
    [("aiff", b"SSND", 4, 4), ("au", b".snd", 8, 4), ("64.wav", b"ds64", 16, 8)],
)
def test_other_files_of_a_killed_recorder_are_read_to_their_end_too(
    wav: Path, tmp_path: Path, suffix: str, mark: bytes, behind: int, n_bytes: int
) -> None:
    path = converted(wav, tmp_path / f"clip.{suffix}", *OPTIONS.get(suffix, "").split())
    content = bytearray(path.read_bytes())
    at = content.index(mark) + behind
    content[at : at + n_bytes] = bytes(n_bytes)
    path.write_bytes(content)
    source = assert_whole(path)
    np.testing.assert_array_equal(read(path)[1], read(wav)[1])
    assert "has no length in its header" in source.health.warning


def test_a_header_that_counts_a_few_bytes_too_many_is_no_cut(wav: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.au"
    samples, _ = soundfile.read(wav)
    soundfile.write(path, samples, RATE_HZ, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[8:12], "big")
    for extra, cut in ((64, False), (65, True)):
        content[8:12] = (size + extra).to_bytes(4, "big")
        path.write_bytes(content)
        source, found = read(path)
        assert len(found) == len(samples)
        assert source.complete is not cut


def test_a_wav_from_a_pipe_has_no_length_and_needs_no_warning(wav: Path, tmp_path: Path) -> None:
    piped = with_sizes(wav, tmp_path / "piped.wav", b"\xff" * 4, b"\xff" * 4)
    assert assert_whole(piped).health.warning == ""


def test_chunks_behind_the_sound_of_a_wav_are_no_sound(wav: Path, tmp_path: Path) -> None:
    path = tmp_path / "listed.wav"
    short = melody(0.1, RATE_HZ)
    soundfile.write(path, short, RATE_HZ, subtype="PCM_16")
    path.write_bytes(path.read_bytes() + b"LIST" + (30_000).to_bytes(4, "little") + bytes(30_000))
    source, samples = read(path)
    assert len(samples) == len(short)
    assert (source.complete, source.health.warning) == (True, "")


def test_an_empty_wav_has_zero_samples(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    soundfile.write(path, np.zeros((0, 1)), RATE_HZ)
    with pytest.raises(SourceError, match="zero samples"):
        FileSource(path).probe()


@needs_ffmpeg
def test_a_flac_from_a_pipe_is_read_to_its_end(wav: Path, tmp_path: Path) -> None:
    command = ["ffmpeg", "-v", "error", "-i", str(wav), "-f", "flac", "-"]
    piped = tmp_path / "piped.flac"
    piped.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    assert soundfile.info(piped).frames > 1e15  # STREAMINFO has no length
    assert assert_whole(piped).expected_frames is None
    np.testing.assert_array_equal(read(piped)[1], read(wav)[1])


@needs_ffmpeg
@pytest.mark.parametrize("tail", [b"", b"TAG" + bytes(125)], ids=["bare", "ID3v1"])
def test_an_mp3_of_variable_rate_without_a_count_is_read_to_its_end(
    wav: Path, tmp_path: Path, tail: bytes
) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (round(SECONDS * RATE_HZ), 1))
    noise[:RATE_HZ] = 0  # the first frames are small, or all are
    source = tmp_path / "noise.wav"
    soundfile.write(source, noise[::-1], RATE_HZ)
    mp3 = converted(
        source, tmp_path / "v.mp3", "-c:a", "libmp3lame", "-q:a", "4", "-write_xing", "0"
    )
    mp3.write_bytes(mp3.read_bytes() + tail)
    assert soundfile.info(mp3).duration < 0.9 * SECONDS  # an estimate from the first frame
    assert_whole(mp3, tolerance_s=0.1)


@needs_ffmpeg
def test_mp3s_behind_each_other_are_read_to_the_end_of_the_last(wav: Path, tmp_path: Path) -> None:
    one = converted(wav, tmp_path / "one.mp3", "-c:a", "libmp3lame")
    two = tmp_path / "two.mp3"
    two.write_bytes(2 * one.read_bytes())
    source, samples = read(two)
    assert source.complete
    assert len(samples) / RATE_HZ == pytest.approx(2 * SECONDS, abs=0.2)


@needs_ffmpeg
@pytest.mark.parametrize(
    "suffix",
    [
        "wav",
        "flac",
        "mp3",
        "ogg",
        "opus",
        "aiff",
        "vbr.mp3",
        "au",
        "caf",
        "w64",
        "64.wav",
        "ms.wav",
    ],
)
def test_a_whole_file_is_complete_and_one_cut_in_the_middle_says_what_is_missing(
    wav: Path, tmp_path: Path, suffix: str
) -> None:
    path = converted(wav, tmp_path / f"clip.{suffix}", *OPTIONS.get(suffix, "").split())
    source, _ = read(path)
    assert source.complete
    assert source.health.warning == ""
    assert source.read_frames / source.sample_rate_hz == pytest.approx(SECONDS, abs=0.1)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    cut, samples = read(path)
    assert not cut.complete
    assert 0.2 * SECONDS < len(samples) / cut.sample_rate_hz < 0.8 * SECONDS
    assert f"found {len(samples) / cut.sample_rate_hz:.1f} s" in cut.health.warning
    if suffix in ("wav", "flac", "mp3", "aiff"):
        assert f"expected {SECONDS:.1f} s" in cut.health.warning


@needs_ffmpeg
@pytest.mark.parametrize("suffix", ["flac", "mp3", "ogg"])
def test_a_file_that_is_damaged_in_the_middle_is_read_up_to_there_and_says_so(
    wav: Path, tmp_path: Path, suffix: str
) -> None:
    path = converted(wav, tmp_path / f"clip.{suffix}")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = bytes(4000)
    path.write_bytes(content)
    source, samples = read(path)
    assert not source.complete
    assert 0.3 * SECONDS < len(samples) / RATE_HZ < SECONDS
    assert "damaged" in source.health.warning


@needs_ffmpeg
def test_an_mp4_under_the_name_of_an_mp3_is_refused_with_a_true_reason(
    wav: Path, tmp_path: Path
) -> None:
    path = converted(wav, tmp_path / "clip.m4a").rename(tmp_path / "named.mp3")
    with pytest.raises(SourceError, match=r"libsndfile reads .*Format not recognised"):
        FileSource(path).probe()


def test_the_suffix_raw_does_not_keep_a_wav_from_being_read(wav: Path, tmp_path: Path) -> None:
    assert_whole(Path(shutil.copy(wav, tmp_path / "take1.raw")))


def test_raw_samples_a_pipe_and_a_loop_of_links_are_refused_each_with_its_reason(
    tmp_path: Path,
) -> None:
    raw, pipe, loop = (tmp_path / name for name in ("take1.raw", "pipe", "loop.wav"))
    raw.write_bytes(np.random.default_rng(0).bytes(9000))
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    for path, reason in (
        (raw, "libsndfile reads"),
        (pipe, "found a pipe"),
        (loop, "symbolic links"),
    ):
        with pytest.raises(SourceError, match=reason):
            FileSource(path).probe()


def test_a_file_of_damage_only_is_an_error(wav: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.flac"
    soundfile.write(path, melody(1.0, RATE_HZ), RATE_HZ)
    content = path.read_bytes()
    path.write_bytes(content[:200] + bytes(len(content) - 200))
    with pytest.raises(SourceError, match="found only damaged data"):
        read(path)


def test_control_codes_in_a_file_name_do_not_reach_its_name() -> None:
    assert FileSource(Path("a\x1b[31mred\x9b.wav")).name == "a?[31mred?.wav"


@pytest.mark.parametrize(("more", "complete"), [(0, True), (1, False)])
def test_a_declared_length_that_is_off_by_a_little_is_no_cut(
    wav: Path, more: int, complete: bool
) -> None:
    with FileSource(wav) as source:
        assert source.expected_frames
        source.expected_frames += TOLERANCE_FRAMES + more
        while source.read() is not None:
            pass
    assert source.complete is complete


def test_behind_its_end_a_file_that_is_presented_longer_is_zeros_and_then_ends(
    tmp_path: Path,
) -> None:
    path = tmp_path / "clip.mp3"
    path.write_bytes(b"0123456789")
    length = 3 * TAIL_BYTES
    with PatchedFile(path, Container(None, patches={2: b"ab"}, length=length, end=8)) as file:
        assert file.read(20) == b"01ab4567"
        assert file.read(20) == b""  # a decoder does not wade through all of it
        file.seek(-TAIL_BYTES, os.SEEK_END)
        assert file.read(5) == bytes(5)
        assert file.read(5) == bytes(5)
        assert file.tell() == length - TAIL_BYTES + 10
