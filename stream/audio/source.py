"""What a source of audio is: blocks of samples with their positions, a description, and its health.

Sources: ``file.py``, ``stdin.py``, ``devices/``; ``reconnect.py`` wraps one that may be lost. Every
source feeds the same stages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mmgat.stream.audio.liveness import LivenessState
from mmgat.stream.errors import SourceError


@dataclass(frozen=True)
class Block:
    """Some consecutive samples.

    Example::

        >>> Block(480, np.zeros((960, 2), np.float32), captured_at=0.0).end
        1440

    Attributes:
        position: of the first frame, in frames since the source was opened. A jump means loss.
        samples: float32 [frames, channels], full scale is 1.
        captured_at: ``time.monotonic()`` when the last frame was there.
        interrupted: audio has stopped coming, so all that is on ends behind these frames.
    """

    position: int
    samples: npt.NDArray[np.float32]
    captured_at: float
    interrupted: bool = False

    @property
    def end(self) -> int:
        """The position behind the last frame."""
        return self.position + len(self.samples)

    @classmethod
    def joined(cls, blocks: Sequence[Block]) -> Block:
        """Joins blocks that follow each other into one; a single block is returned as it is."""
        if len(blocks) == 1:
            return blocks[0]
        samples = np.concatenate([block.samples for block in blocks])
        last = blocks[-1]
        return cls(blocks[0].position, samples, last.captured_at, last.interrupted)


@dataclass(frozen=True)
class SourceInfo:
    """What a source is.

    Attributes:
        name: as shown and as used in topics; ``source_name`` makes one of any text.
        kind: ``device``, ``file`` or ``stdin``.
        sample_rate_hz: frames a second, 0 until the source is probed.
        channels: samples a frame, 0 until the source is probed.
    """

    name: str
    kind: str
    sample_rate_hz: int = 0
    channels: int = 0


@dataclass(frozen=True)
class SourceHealth:
    """How a source does, at one moment.

    Attributes:
        xruns: overflows that the audio system reported, or that the clock shows.
        lost_s: time that the clock shows to be lost (seconds); it is a jump in the positions.
        longest_callback_ms: the longest time that the audio system had to wait for this program.
        drift_ppm: how much faster the device's clock runs than the system's, in millionths; None
            while that is not known.
        liveness: whether audio comes; only a ``ReconnectingSource`` is ever not healthy.
        outages: how often audio stopped coming.
        warning: what is wrong now, in words, or "".
        last_poll_at: ``time.monotonic()`` when a ``ReconnectingSource`` last looked after its
            device; long ago while the audio system does not answer. None for other sources.
        capture_ms: what the device takes until a sample is here, as its driver says.
    """

    xruns: int = 0
    longest_callback_ms: float = 0.0
    drift_ppm: float | None = None
    liveness: LivenessState = LivenessState.HEALTHY
    outages: int = 0
    warning: str = ""
    last_poll_at: float | None = None
    lost_s: float = 0.0
    capture_ms: float = 0.0


class AudioSource(ABC):
    """Audio at its own rate.

    Example::

        >>> with FileSource(Path("song.ogg")) as source:
        ...     while (block := source.read()) is not None:
        ...         print(f"{block.position / source.sample_rate_hz:g} s")
        0 s
        0.5 s
        1 s
        1.5 s

    Args:
        name: any text; see ``source_name``.
        kind: ``device``, ``file`` or ``stdin``.
        sample_rate_hz, channels: if they are known before ``probe``.

    Attributes:
        info: what it is; complete once it is probed.
        live: it does not wait: what is not taken in time is dropped, oldest first.
        device: full name of the device that it listens to, once it is probed, or "".
        required: when it fails, the engine's other sources are to end, too.
    """

    live: bool
    required: bool = False
    device: str = ""

    def __init__(self, name: str, kind: str, sample_rate_hz: int = 0, channels: int = 0) -> None:
        self.info = SourceInfo(source_name(name), kind, sample_rate_hz, channels)

    @property
    def name(self) -> str:
        """The name in ``info``."""
        return self.info.name

    @property
    def kind(self) -> str:
        """The kind in ``info``."""
        return self.info.kind

    @property
    def sample_rate_hz(self) -> int:
        """The rate in ``info``, frames a second."""
        return self.info.sample_rate_hz

    @property
    def channels(self) -> int:
        """The number of channels in ``info``."""
        return self.info.channels

    @property
    def health(self) -> SourceHealth:
        """How it does now; callable from any thread."""
        return SourceHealth()

    @abstractmethod
    def probe(self) -> None:
        """Completes ``info`` without starting the source.

        Raises:
            SourceError: it cannot be used.
        """

    @abstractmethod
    def open(self) -> None:
        """Starts the source.

        Raises:
            SourceError: it cannot be opened.
        """

    @abstractmethod
    def read(self) -> Block | None:
        """Waits for the next block; None at the end or after ``stop``.

        A source may give an empty block when nothing comes for a moment.

        Raises:
            SourceError: it fails.
        """

    @abstractmethod
    def stop(self) -> None:
        """Ends a waiting ``read``; callable from any thread and more than once."""

    @abstractmethod
    def close(self) -> None:
        """Releases what it holds; callable more than once."""

    def reopen(self) -> None:
        """Opens it anew after a fault; positions begin at 0 again.

        Raises:
            SourceError: it cannot be opened.
        """
        self.close()
        self.open()

    def switch(self, device: str) -> str:
        """Listens to another device from now on; callable from any thread.

        Returns:
            The full name of the device.

        Raises:
            SourceError: this is no device, or the other one cannot be used; nothing is changed.
        """
        raise SourceError(
            f"expected a source that is a device, found {self.name!r}, a {self.kind}: it cannot "
            f"be switched to {device!r}"
        )

    def another(self, device: str) -> AudioSource:
        """A source like this one, of another device, with its rate and as many channels.

        Raises:
            SourceError: this is no device.
        """
        raise SourceError(f"expected a device, found {self.name!r}, a {self.kind}, not {device!r}")

    def _set_info(self, sample_rate_hz: int, channels: int, name: str | None = None) -> None:
        """Completes ``info`` with what was found."""
        self.info = replace(
            self.info,
            name=self.info.name if name is None else source_name(name),
            sample_rate_hz=sample_rate_hz,
            channels=channels,
        )

    def __enter__(self) -> AudioSource:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def source_name(text: str) -> str:
    """The text as a name for topics and terminals: a slash becomes ``-``, control codes ``?``."""
    return "".join(c if c.isprintable() else "?" for c in text.replace("/", "-"))
