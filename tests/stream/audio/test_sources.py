import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmgat.stream.audio.devices.device import DeviceSource
from mmgat.stream.audio.file import FileSource
from mmgat.stream.audio.sound_file import sound_source
from mmgat.stream.audio.source import AudioSource, Block, SourceHealth, source_name
from mmgat.stream.audio.stdin import StdinSource, pcm_to_float
from mmgat.stream.errors import SourceError
from tests.conftest import melody


def read_all(source: AudioSource) -> np.ndarray:
    with source:
        blocks = []
        expected = 0
        while (block := source.read()) is not None:
            assert block.position == expected
            expected = block.end
            blocks.append(block.samples)
    return np.concatenate(blocks)


@pytest.mark.parametrize("channels", [1, 2, 32])
@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 192_000])
def test_a_file_is_read_whole_with_its_rate_and_channels(
    wav: Callable[..., Path], rate_hz: int, channels: int
) -> None:
    samples = melody(0.7, rate_hz, channels)
    source = FileSource(wav(samples, rate_hz))
    source.probe()
    assert (source.sample_rate_hz, source.channels) == (rate_hz, channels)
    np.testing.assert_array_equal(read_all(source), samples)


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3", "aiff"])
def test_common_formats_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip.{suffix}"
    soundfile.write(path, melody(0.5, 44_100), 44_100)
    assert len(read_all(FileSource(path))) >= 22_050


def test_a_block_of_a_file_is_there_when_it_is_read(wav: Callable[..., Path]) -> None:
    with FileSource(wav(melody(0.2, 8_000), 8_000)) as source:
        assert source.complete
        before = time.monotonic()
        block = source.read()
        assert block is not None
        assert before <= block.captured_at <= time.monotonic()


def test_raw_samples_are_sent_to_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "take.raw"
    path.write_bytes(bytes(range(256)) * 40)
    for source in (FileSource(path), sound_source(path)):
        with pytest.raises(SourceError, match=r"\): mmgat-stream --stdin takes raw PCM$"):
            source.probe()


def test_a_paced_file_is_live_and_gives_the_same_samples(wav: Callable[..., Path]) -> None:
    samples = melody(0.3, 16_000)
    source = FileSource(wav(samples, 16_000), paced=True)
    assert source.live
    np.testing.assert_array_equal(read_all(source), samples)


def test_stopping_a_paced_file_ends_its_wait(wav: Callable[..., Path]) -> None:
    source = FileSource(wav(np.full((480_000, 1), 0.1, np.float32), 8_000), paced=True)
    with source:
        assert source.read() is not None
        source.stop()
        assert source.read() is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "found nothing at"),
        (b"", "found an empty file"),
        (b"this is no audio\n" * 100, "expected an audio file that libsndfile reads"),
    ],
)
def test_what_is_no_audio_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "clip.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=message):
        FileSource(path).probe()


def test_a_folder_and_a_file_without_samples_are_refused(
    tmp_path: Path, wav: Callable[..., Path]
) -> None:
    with pytest.raises(SourceError, match="found a folder"):
        FileSource(tmp_path).probe()
    with pytest.raises(SourceError, match="zero samples"):
        FileSource(wav(np.zeros((0, 1), np.float32), 16_000)).probe()


@pytest.mark.parametrize(
    ("pcm_format", "data", "expected"),
    [
        ("s16le", np.array([0, 16384, -32768], "<i2").tobytes(), [0, 0.5, -1]),
        ("s24le", b"\0\0\0" + b"\0\0\x40" + b"\0\0\x80", [0, 0.5, -1]),
        ("s32le", np.array([0, 2**30, -(2**31)], "<i4").tobytes(), [0, 0.5, -1]),
        ("f32le", np.array([0, 0.5, -1], "<f4").tobytes(), [0, 0.5, -1]),
    ],
)
def test_pcm_formats_have_full_scale_one(
    pcm_format: str, data: bytes, expected: list[float]
) -> None:
    samples = pcm_to_float(data, pcm_format)
    assert (samples.tolist(), samples.dtype) == (expected, np.float32)


def test_a_pipe_cut_anywhere_gives_whole_frames() -> None:
    frames = np.arange(-300, 300, dtype="<i2").reshape(-1, 3)
    data = frames.tobytes()
    reader, writer = os.pipe()

    def write() -> None:
        for start in range(0, len(data), 7):
            os.write(writer, data[start : start + 7])
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    samples = read_all(StdinSource(16_000, 3, "s16le", reader))
    thread.join()
    os.close(reader)
    np.testing.assert_array_equal(samples, frames.astype(np.float32) / 32768)


def test_a_redirected_file_is_read_as_a_pipe_is(tmp_path: Path) -> None:
    path = tmp_path / "raw.pcm"
    path.write_bytes(np.arange(100, dtype="<i2").tobytes())
    with path.open("rb") as file:
        samples = read_all(StdinSource(16_000, 1, "s16le", file.fileno()))
    assert len(samples) == 100


def until_the_end(source: AudioSource) -> Block | None:
    while (block := source.read()) is not None:
        assert not len(block.samples)
    return block


def test_stopping_ends_a_read_that_waits_for_a_silent_pipe() -> None:
    reader, writer = os.pipe()
    source = StdinSource(16_000, 1, "s16le", reader)
    with source:
        result: list[object] = []
        thread = threading.Thread(target=lambda: result.append(until_the_end(source)))
        thread.start()
        source.stop()
        thread.join(10)
        assert result == [None]
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((16_000, 1, "s8"), "expected a format of .*s16le.*found 's8'"),
        ((100, 1), "expected a rate of 4000 to 768000 Hz, found 100"),
        ((16_000, 0), "expected 1 to 128 channels, found 0"),
    ],
)
def test_unusable_pipes_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        StdinSource(*arguments)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts files in /proc")
def test_opening_and_closing_a_hundred_times_leaves_no_file(wav: Callable[..., Path]) -> None:
    path = wav(melody(0.1, 16_000), 16_000)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        with FileSource(path) as source:
            assert source.read() is not None
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_pipe_without_data_gives_an_empty_block_at_its_position() -> None:
    reader, writer = os.pipe()
    with StdinSource(16_000, 1, "s16le", reader) as source:
        os.write(writer, bytes(200))
        first, nothing = source.read(), source.read()
        assert first is not None
        assert nothing is not None
        assert (len(first.samples), nothing.position, len(nothing.samples)) == (100, 100, 0)
        os.close(writer)
        assert source.read() is None
    os.close(reader)


def test_joined_blocks_are_as_late_as_the_last_of_them() -> None:
    one = np.ones((2, 1), np.float32)
    joined = Block.joined([Block(4, one, 1.0), Block(6, 2 * one, 2.5, interrupted=True)])
    assert (joined.position, joined.captured_at, joined.interrupted) == (4, 2.5, True)
    assert joined.samples[:, 0].tolist() == [1, 1, 2, 2]


def test_a_source_says_of_which_kind_it_is() -> None:
    assert FileSource(Path("clip.wav")).kind == "file"
    assert StdinSource(16_000, 1).kind == "stdin"
    assert DeviceSource().kind == "device"


def test_a_pipe_is_standard_input_if_no_other_is_named() -> None:
    before, (reader, writer) = os.dup(0), os.pipe()
    os.dup2(reader, 0)
    try:
        os.write(writer, np.arange(100, dtype="<i2").tobytes())
        os.close(writer)
        assert len(read_all(StdinSource(16_000, 1))) == 100
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(reader)


def test_a_sources_name_goes_into_topics_and_on_terminals() -> None:
    assert source_name("live/set \x1b[2Jé") == "live-set ?[2Jé"
    assert FileSource(Path("a\x07.wav")).name == "a?.wav"


def test_before_it_is_probed_nobody_knows_a_sources_rate_and_channels() -> None:
    source = FileSource(Path("clip.wav"))
    assert (source.sample_rate_hz, source.channels, source.device) == (0, 0, "")
    assert source.health == SourceHealth()
    assert not source.required


def test_a_source_that_is_opened_again_begins_again(wav: Callable[..., Path]) -> None:
    with FileSource(wav(melody(0.2, 8000), 8000)) as source:
        first = source.read()
        source.reopen()
        again = source.read()
    assert first is not None
    assert again is not None
    assert (again.position, len(again.samples)) == (0, len(first.samples))


def test_what_is_no_device_cannot_be_switched() -> None:
    pipe = StdinSource(16_000, 1)
    with pytest.raises(SourceError, match="expected a source that is a device, found 'stdin'"):
        pipe.switch("line")
    with pytest.raises(SourceError, match="expected a device, found 'stdin', a stdin, not 'line'"):
        pipe.another("line")


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_file_whose_name_is_no_unicode_is_read(tmp_path: Path, suffix: str) -> None:
    """As on a disk whose names are in Latin-1."""
    plain = tmp_path / f"plain.{suffix}"
    soundfile.write(plain, melody(0.5, 8_000), 8_000)
    path = plain.rename(Path(os.fsdecode(os.fsencode(tmp_path) + b"/B\xfchne." + suffix.encode())))
    source = FileSource(path)
    with source:
        block = source.read()
    assert block is not None
    assert (len(block.samples), source.name) == (4_000, f"B?hne.{suffix}")
