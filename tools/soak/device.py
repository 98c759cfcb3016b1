"""The scripted device of the soak, which keeps its own account of what it gave."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import soundfile
import soxr

from mmgat.stream.audio.source import AudioSource, Block, SourceHealth
from mmgat.stream.commands.live.inputs import demo_clip
from mmgat.stream.errors import DeviceError

RATE_HZ: Final = 48_000
BLOCK_S: Final = 0.5
BLOCK_FRAMES: Final = round(BLOCK_S * RATE_HZ)
ALARM_S: Final = 3.0
"""Silence of so long (seconds) is an outage."""

HANG_S: Final = 60.0
"""Real seconds without any progress after which the engine counts as hanging."""

MINUTE_S: Final = 60
"""The device plays the same minute again and again."""

XRUN_BLOCKS: Final = 7
"""Every so many blocks the device reports an overflow."""

LONGEST_CALLBACK_MS: Final = 1.25
DRIFT_PPM: Final = 12.5

Kind = Literal["stall", "unplug", "rate", "nan", "slow"]
KINDS: Final[tuple[Kind, ...]] = ("stall", "unplug", "rate", "nan", "slow")


@dataclass(frozen=True)
class Fault:
    """What happens to the device.

    Attributes:
        kind: ``stall``: it gives nothing; ``unplug``: it says so and cannot be opened; ``rate``:
            it is there and refuses the rate; ``nan``: it gives NaN; ``slow``: the embedder does
            not keep up.
        at_s, for_s: when and how long, in seconds of audio.
    """

    kind: Kind
    at_s: float
    for_s: float


SHORT_S: Final = 180.0
SHORT: Final = (
    Fault("stall", 8.0, 1.0),
    Fault("unplug", 14.0, 4.0),
    Fault("rate", 24.0, 2.0),
    Fault("stall", 31.0, 6.0),
    Fault("nan", 43.0, 0.5),
)
"""One fault of each kind but the slow one, with which not every sample is analysed; then none."""


class Clock:
    """Seconds, advanced by who gives audio or waits for it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self.now += seconds


@dataclass
class Ledger:
    """What the device did, counted by itself; frames are those of one channel.

    Attributes:
        settling_s: after a fault until what is recognised is undisturbed.
        given: frames.
        expected: frames and those missed where it was opened again: the stream's length.
        segments: frames between outages.
        outages: how often it stopped giving audio.
        opened: how often it was opened.
        xruns: overflows that it reported.
        steady_from_s: since then in the stream it was without fault.
        slow_until_s: until then in the stream the embedder did not keep up, the last time.
        blocks: given and not yet seen by the analysis, by their place in the stream.
    """

    settling_s: float = 0.0
    given: int = 0
    expected: int = 0
    segments: list[int] = field(default_factory=lambda: [0])
    outages: int = 0
    opened: int = 0
    xruns: int = 0
    steady_from_s: float = 0.0
    slow_until_s: float = 0.0
    _repeated_s: float = 0.0
    blocks: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def steady_s(self) -> float:
        """For how long it has been without fault."""
        return self.expected / RATE_HZ - self.steady_from_s

    @property
    def repeated_s(self) -> float:
        """Of all stretches without fault, what came when their first minute and ``settling_s`` were
        over."""
        return self._repeated_s + max(0.0, self.steady_s - MINUTE_S - self.settling_s)

    def disturb(self) -> None:
        """Now it is not without fault."""
        self._repeated_s = self.repeated_s
        self.steady_from_s = self.expected / RATE_HZ


class ScriptedDevice(AudioSource):
    """A device that plays the same minute again and again, with faults.

    Args:
        faults: may overlap.
        seconds: after which it ends.
        clock: advanced by what it gives.
        channels: with the same sound, a second apart.
        settling_s: after a fault until what is recognised is undisturbed.
    """

    live = True

    def __init__(
        self,
        faults: Sequence[Fault],
        seconds: float,
        clock: Clock,
        channels: int = 1,
        settling_s: float = 0.0,
    ) -> None:
        super().__init__("scripted", "device")
        self.taken = threading.Event()  # nothing waits for analysis
        self.taken.set()
        self.ended = False
        self.ledger = Ledger(settling_s)
        self.is_slow = any(fault.kind == "slow" for fault in faults)
        self._faults, self._seconds, self._clock = faults, seconds, clock
        self._stopped = threading.Event()
        self._position = 0
        self._is_dead = self._is_new = self._is_out = False
        self._last_audio_at = 0.0
        minute = _minute()
        self._minute = np.hstack([np.roll(minute, n * RATE_HZ, 0) for n in range(channels)])

    @property
    def health(self) -> SourceHealth:
        return SourceHealth(self.ledger.xruns, LONGEST_CALLBACK_MS, DRIFT_PPM)

    @property
    def is_giving(self) -> bool:
        """Whether audio has come within the time of an alarm."""
        return not self._is_out

    def probe(self) -> None:
        self._set_info(RATE_HZ, self._minute.shape[1])

    def open(self) -> None:
        for kind, why in (("unplug", "expected 'scripted', found none"),
                          ("rate", "'scripted' does not open at 48000 Hz")):  # fmt: skip
            if self._suffers(kind):
                raise DeviceError(why)
        self._position, self._is_dead = 0, False
        self._is_new = self.ledger.opened > 0
        self.ledger.opened += 1

    def read(self) -> Block | None:
        self.ended = self._clock.now >= self._seconds
        if self._stopped.is_set() or self.ended:
            return None
        if self._is_dead or self._suffers("unplug") or self._suffers("rate"):
            self._is_dead = True  # until it is opened again
            self._note_outage()
            raise DeviceError("'scripted' stopped giving audio")
        self._clock.advance(BLOCK_S)
        if self._suffers("stall"):
            if self._clock.now - self._last_audio_at >= ALARM_S:
                self._note_outage()
            self.ledger.disturb()
            return Block(self._position, self._minute[:0], self._clock.now)
        if not self._suffers("slow"):
            self.taken.wait(HANG_S)
        self.taken.clear()
        return self._give()

    def stop(self) -> None:
        self._stopped.set()
        self.taken.set()

    def close(self) -> None:
        self._is_dead = True

    def _give(self) -> Block:
        ledger, now = self.ledger, self._clock.now
        start = round(now / BLOCK_S) * BLOCK_FRAMES % len(self._minute)
        samples = self._minute[start : start + BLOCK_FRAMES]
        if self._suffers("nan"):
            samples = np.full_like(samples, np.nan)
        passed = round((now - self._last_audio_at) * RATE_HZ) if self._is_new else BLOCK_FRAMES
        if is_disturbed := self._is_out or self._suffers("nan") or self._suffers("slow"):
            ledger.disturb()
        ledger.expected += max(passed, BLOCK_FRAMES)
        ledger.given += BLOCK_FRAMES
        if self._is_out:
            ledger.segments.append(0)
        ledger.segments[-1] += BLOCK_FRAMES
        ledger.xruns += ledger.given // BLOCK_FRAMES % XRUN_BLOCKS == 0
        if self._suffers("slow"):
            ledger.slow_until_s = ledger.expected / RATE_HZ
        if is_disturbed:
            ledger.steady_from_s = ledger.expected / RATE_HZ
        ledger.blocks[ledger.expected - BLOCK_FRAMES] = samples
        self._is_new = self._is_out = False
        self._last_audio_at = now
        position, self._position = self._position, self._position + BLOCK_FRAMES
        return Block(position, samples, now)

    def _note_outage(self) -> None:
        if not self._is_out:
            self._is_out = True
            self.ledger.outages += 1

    def _suffers(self, kind: str) -> bool:
        now = self._clock.now
        return any(f.kind == kind and f.at_s <= now < f.at_s + f.for_s for f in self._faults)


def random_script(seed: int, seconds: float, every_s: float) -> list[Fault]:
    """Faults of all kinds, some short and some long, one about every ``every_s``, none at once."""
    chance = random.Random(seed)
    return [
        Fault(chance.choice(KINDS), chance.uniform(1, seconds), chance.choice((0.5, 4.0, 30.0)))
        for _ in range(round(seconds / every_s))
    ]


def _minute() -> np.ndarray:
    """A minute made of the bundled clip, in which instruments begin and end; float32 [frames, 1]."""
    clip, rate_hz = soundfile.read(demo_clip(), dtype="float32")
    sound = soxr.resample(clip, rate_hz, RATE_HZ)
    return np.resize(sound, MINUTE_S * RATE_HZ)[:, None]
