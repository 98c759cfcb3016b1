import numpy as np
import pytest

from mmgat.stream.audio.inputs import Input, parse_channels, streams_of
from mmgat.stream.audio.source import AudioSource, Block, SourceInfo
from mmgat.stream.audio.stdin import StdinSource
from mmgat.stream.errors import SettingsError, SourceError


def source(name: str, channels: int) -> AudioSource:
    made = StdinSource(48_000, channels)
    made.info = SourceInfo(name, "stdin", 48_000, channels)
    return made


def test_a_source_is_one_stream_a_split_one_a_stream_for_each_channel() -> None:
    streams = streams_of([Input(source("desk", 4)), Input(source("box", 8), split_channels=(2, 5))])
    assert [(s.name, s.channels) for s in streams] == [
        ("desk", None),
        ("box 2", (1,)),
        ("box 5", (4,)),
    ]


def test_streams_of_the_same_name_are_numbered() -> None:
    streams = streams_of([Input(source("a.wav", 1)), Input(source("a.wav", 1))])
    assert [s.name for s in streams] == ["a.wav", "a.wav (2)"]


def test_a_stream_hears_its_channels_only() -> None:
    (mixed,) = streams_of([Input(source("desk", 3), mixdown_channels=(1, 3))])
    samples = np.arange(12, dtype=np.float32).reshape(4, 3)
    found = mixed.of(Block(7, samples, 1.0))
    np.testing.assert_array_equal(found.samples, samples[:, [0, 2]])
    assert (found.position, found.captured_at) == (7, 1.0)


def test_channels_that_a_source_has_not_are_refused() -> None:
    with pytest.raises(SourceError, match="expected channels up to 2 of 'desk', found 3"):
        streams_of([Input(source("desk", 2), mixdown_channels=(1, 3))])


@pytest.mark.parametrize(("text", "channels"), [("2", (1, 2)), ("1,3", (1, 3)), ("2,", (2,))])
def test_channels_are_a_number_or_a_list(text: str, channels: tuple[int, ...]) -> None:
    assert parse_channels(text) == channels


@pytest.mark.parametrize("text", ["0", "1,1", "1-3", "", "-2", ","])
def test_other_texts_are_no_channels(text: str) -> None:
    with pytest.raises(SettingsError, match="expected a number of channels such as 2"):
        parse_channels(text)


def test_a_stream_of_one_channel_hears_that_channel_in_a_block_of_its_own() -> None:
    _, second = streams_of([Input(source("box", 3), split_channels=(1, 3))])
    samples = np.arange(12, dtype=np.float32).reshape(4, 3)
    found = second.of(Block(7, samples, 1.0)).samples
    np.testing.assert_array_equal(found, samples[:, 2:])
