"""Inputs: sources, and the streams made of their channels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mmgat.stream.audio.source import AudioSource, Block
from mmgat.stream.errors import SettingsError, SourceError


@dataclass(frozen=True)
class Input:
    """A source and which of its channels are recognised; they count from 1.

    Example::

        >>> source = FileSource(Path("song.ogg"))
        >>> Input(source, split_channels=(1, 2)).mixdown_channels
        ()

    Attributes:
        source: where the audio comes from.
        mixdown_channels: channels averaged into one stream; () means all of them.
        split_channels: channels that become one stream each, instead of a mixdown.
    """

    source: AudioSource
    mixdown_channels: tuple[int, ...] = ()
    split_channels: tuple[int, ...] = ()


@dataclass(frozen=True)
class StreamInput:
    """One stream: a name of its own, and its channels of a source.

    Attributes:
        name: as shown and as used in topics.
        source: probed.
        channels: indices from 0; None for all.
    """

    name: str
    source: AudioSource
    channels: tuple[int, ...] | None = None

    @property
    def n_channels(self) -> int:
        """How many channels of the source it has."""
        return self.source.channels if self.channels is None else len(self.channels)

    def of(self, block: Block) -> Block:
        """Returns the block with this stream's channels only."""
        if self.channels is None:
            return block
        samples = block.samples
        if len(self.channels) == 1:  # a view, many times as quick as a copy
            of_stream = samples[:, self.channels[0] : self.channels[0] + 1]
        else:
            of_stream = samples[:, self.channels]
        return Block(block.position, of_stream, block.captured_at, block.interrupted)


def streams_of(inputs: Sequence[Input]) -> list[StreamInput]:
    """Returns the streams of probed sources, in order; those of the same name are numbered.

    Raises:
        SourceError: a source has not as many channels.
    """
    streams = []
    for item in inputs:
        source = item.source
        highest = max((*item.mixdown_channels, *item.split_channels), default=0)
        if highest > source.channels:
            raise SourceError(
                f"expected channels up to {source.channels} of {source.name!r}, found {highest}"
            )
        for channel in item.split_channels:
            streams.append(StreamInput(f"{source.name} {channel}", source, (channel - 1,)))
        if not item.split_channels:
            mixed = tuple(channel - 1 for channel in item.mixdown_channels) or None
            streams.append(StreamInput(source.name, source, mixed))
    return _numbered(streams)


def parse_channels(text: str) -> tuple[int, ...]:
    """Reads a list of channels, counted from 1.

    ``2`` means the first two, ``1,3`` these two, and ``2,`` only the second.

    Raises:
        SettingsError: the text is anything else.
    """
    try:
        numbers = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1 or len(set(numbers)) < len(numbers):
        raise SettingsError(
            f"expected a number of channels such as 2, or channels such as 1,3, found {text!r}"
        )
    return tuple(numbers) if "," in text else tuple(range(1, numbers[0] + 1))


def _numbered(streams: list[StreamInput]) -> list[StreamInput]:
    seen: Counter[str] = Counter()
    numbered = []
    for stream in streams:
        seen[stream.name] += 1
        again = f" ({seen[stream.name]})" if seen[stream.name] > 1 else ""
        numbered.append(StreamInput(stream.name + again, stream.source, stream.channels))
    return numbered
