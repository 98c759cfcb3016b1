"""Hours of audio with scripted faults through the real engine, on a clock that runs with the audio.

    python -m tools.soak                       24 hours, compact model, a fault every few minutes
    python -m tools.soak --hours 1 --seed 7
    python -m tools.soak --hours 3 --channels 8    as many hours of audio, eight at a time
    python -m tools.soak --scripts 100         100 random scripts of ten minutes instead

Engine, pipeline, guard, publisher and model are the real ones; only the device and the clock are
ours. Its audio comes as fast as the engine takes it, except where a script says that the embedder
is slow: then it does not wait, and what does not fit is dropped.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click
import numpy as np
import zmq

from mmgat.stream.audio.inputs import Input
from mmgat.stream.audio.reconnect import ReconnectingSource
from mmgat.stream.audio.source import AudioSource, Block
from mmgat.stream.bus.protocol import Message, Status
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.engine.block_queue import SampleAccount
from mmgat.stream.engine.engine import Engine
from mmgat.stream.errors import DeviceError
from mmgat.stream.settings import StreamSettings

if TYPE_CHECKING:
    from mmgat.stream.recognition.recognizer import Recognizer

RATE_HZ: Final = 48_000
BLOCK_S: Final = 0.5
MEMORY_S: Final = 600.0
WARM_S: Final = 10.0
LOOK_S: Final = 10.0
"""Threads and files are counted so often, from a little after the start on."""

HANG_S: Final = 60.0
"""Real seconds without any progress after which the engine counts as hanging."""

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


class Clock:
    """Seconds, advanced by who gives audio or waits for it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class ScriptedDevice(AudioSource):
    """A device that plays the same minute again and again, with faults.

    Args:
        faults: may overlap.
        seconds: after which it ends.
        clock: advanced by what it gives.
        channels: with the same sound, a second apart.
    """

    live = True

    def __init__(
        self, faults: Sequence[Fault], seconds: float, clock: Clock, channels: int = 1
    ) -> None:
        super().__init__("scripted", "device")
        self.taken = threading.Event()  # nothing waits for analysis
        self.taken.set()
        self.ended = False
        self._faults, self._seconds, self._clock = faults, seconds, clock
        self._stopped = threading.Event()
        self._position = 0
        minute = _minute()
        self._minute = np.hstack([np.roll(minute, n * RATE_HZ, 0) for n in range(channels)])

    def probe(self) -> None:
        self._set_info(RATE_HZ, self._minute.shape[1])

    def open(self) -> None:
        for kind, why in (("unplug", "expected 'scripted', found none"),
                          ("rate", "'scripted' does not open at 48000 Hz")):  # fmt: skip
            if self._suffers(kind):
                raise DeviceError(why)
        self._position = 0

    def read(self) -> Block | None:
        self.ended = self._clock.now >= self._seconds
        if self._stopped.is_set() or self.ended:
            return None
        if self._suffers("unplug") or self._suffers("rate"):
            raise DeviceError("'scripted' stopped giving audio")
        self._clock.advance(BLOCK_S)
        if self._suffers("stall"):
            return Block(self._position, self._minute[:0], self._clock.now)
        if not self._suffers("slow"):
            self.taken.wait(HANG_S)
        self.taken.clear()
        n = round(BLOCK_S * RATE_HZ)
        start = round(self._clock.now / BLOCK_S) * n % len(self._minute)
        samples = self._minute[start : start + n]
        if self._suffers("nan"):
            samples = np.full_like(samples, np.nan)
        position, self._position = self._position, self._position + n
        return Block(position, samples, self._clock.now)

    def stop(self) -> None:
        self._stopped.set()
        self.taken.set()

    def close(self) -> None:
        pass

    def _suffers(self, kind: str) -> bool:
        now = self._clock.now
        return any(f.kind == kind and f.at_s <= now < f.at_s + f.for_s for f in self._faults)


@dataclass(frozen=True)
class Outcome:
    """What a run showed.

    Attributes:
        statuses: the last, one a channel.
        account: of the samples of all channels together.
        audio_s, real_s: how long it was, all channels added up, and how long it took.
        memory_mb: resident memory, MB, every ten minutes of the clock.
        n_threads, n_files: after warming up, and at the end.
    """

    statuses: list[Status]
    account: SampleAccount
    audio_s: float
    real_s: float
    memory_mb: list[float]
    n_threads: tuple[int, int]
    n_files: tuple[int, int]

    @property
    def status(self) -> Status:
        """Of the first channel."""
        return self.statuses[0]

    @property
    def memory_slope(self) -> float:
        """MB per 24 hours of audio, by least squares over all but the first quarter."""
        kept = self.memory_mb[len(self.memory_mb) // 4 :]
        if len(kept) < 2:
            return 0.0
        hours_apart = self.audio_s / 3600 / len(self.memory_mb)
        return 24 / hours_apart * float(np.polyfit(range(len(kept)), kept, 1)[0])


def soak(
    faults: Sequence[Fault], seconds: float, recognizer: Recognizer, channels: int = 1
) -> Outcome:
    """Runs the engine on a device with these faults, with a subscriber that never reads.

    Raises:
        TimeoutError: the engine hangs.
    """
    clock = Clock()
    device = ScriptedDevice(faults, seconds, clock, channels)
    source = ReconnectingSource(device, clock=clock, pause=clock.advance)
    source.probe()
    progress = [time.monotonic()]
    memory: list[float] = []
    held: list[tuple[int, int]] = []  # threads and files: the first and the last
    next_look = [WARM_S]

    def watch(message: Message) -> None:
        progress[0] = time.monotonic()
        if clock.now >= MEMORY_S * len(memory):
            memory.append(_resident_mb())
        if clock.now >= next_look[0]:
            next_look[0] = clock.now + LOOK_S
            now = (threading.active_count(), _open_files())
            if not device.ended:  # else the capturing thread may be gone, as it should be
                held[:] = [held[0] if held else now, now]

    def take(*_: object) -> None:
        if not any(account.queued for account in engine.accounts.values()):
            device.taken.set()

    settings = StreamSettings(hop_s=1.0)
    publisher = Publisher("tcp://127.0.0.1:*")
    inputs = [Input(source, split_channels=tuple(range(1, channels + 1)))]
    engine = Engine(inputs, recognizer, [publisher, watch], settings, [take], clock)
    begun = time.monotonic()
    with zmq.Context() as context, context.socket(zmq.SUB) as stuck:
        stuck.setsockopt(zmq.RCVHWM, 1)
        stuck.setsockopt(zmq.LINGER, 0)
        stuck.setsockopt(zmq.SUBSCRIBE, b"")
        stuck.connect(publisher.address)
        engine.start()
        while not engine.wait(0.05):
            over = device.ended or clock.now > seconds + BLOCK_S  # away at its end
            if over and not any(account.queued for account in engine.accounts.values()):
                engine.stop()
            if time.monotonic() - max(progress[0], begun) > HANG_S:
                raise TimeoutError(f"nothing for {HANG_S:g} s at {clock.now:.1f} s of audio")
        publisher.close()
    if engine.error:
        raise engine.error
    account = SampleAccount(*np.sum([astuple(one) for one in engine.accounts.values()], axis=0))
    held = held or [(0, 0)]  # away from the beginning to the end
    (first_threads, first_files), (last_threads, last_files) = held[0], held[-1]
    return Outcome(
        statuses=engine.statuses(),
        account=account,
        audio_s=channels * clock.now,
        real_s=time.monotonic() - begun,
        memory_mb=memory,
        n_threads=(first_threads, last_threads),
        n_files=(first_files, last_files),
    )


def random_script(seed: int, seconds: float, every_s: float) -> list[Fault]:
    """Faults of all kinds, some short and some long, one about every ``every_s``, none at once."""
    chance = random.Random(seed)
    return [
        Fault(chance.choice(KINDS), chance.uniform(1, seconds), chance.choice((0.5, 4.0, 30.0)))
        for _ in range(round(seconds / every_s))
    ]


def _minute() -> np.ndarray:
    """A minute of decaying tones and noise, float32 [frames, 1]."""
    rng = np.random.default_rng(0)
    t = np.arange(60 * RATE_HZ) / RATE_HZ
    tones = sum(np.sin(2 * np.pi * f * t) * np.exp(-3 * (t % d)) for f, d in ((220, 0.7), (660, 1)))
    return (0.2 * tones + rng.normal(0, 0.01, len(t))).astype(np.float32)[:, None]


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@click.command()
@click.option("--hours", default=24.0, show_default=True, help="Hours of audio.")
@click.option("--every", default=300.0, show_default=True, help="Seconds between faults.")
@click.option("--seed", default=0, show_default=True, help="Of the script.")
@click.option("--scripts", type=int, help="So many scripts of ten minutes, a fault every 20 s.")
@click.option("--channels", default=1, show_default=True, help="Recognised side by side.")
@click.option("--model", default="compact", show_default=True, help="Model, or a path.")
def main(
    hours: float, every: float, seed: int, scripts: int | None, channels: int, model: str
) -> None:
    """Run the engine for hours of audio with faults; Linux only, for it reads /proc."""
    from mmgat.stream.recognition.recognizer import load_recognizer

    logging.getLogger("mmgat").setLevel(logging.CRITICAL)  # faults are what is asked for
    recognizer = load_recognizer(model, StreamSettings(hop_s=1.0), "cpu")
    if scripts:
        for number in range(seed, seed + scripts):
            outcome = soak(random_script(number, 600, 20), 600, recognizer)
            if not outcome.account.balanced or outcome.account.queued:
                raise click.ClickException(f"script {number}: {outcome.account}")
        click.echo(f"{scripts} scripts: no crash, no hang, every account balanced")
        return
    script = random_script(seed, 3600 * hours, every)
    outcome = soak(script, 3600 * hours, recognizer, channels)
    account, status = outcome.account, outcome.status
    click.echo(
        f"{outcome.audio_s / 3600:.1f} h of audio in {outcome.real_s:.0f} s: "
        f"x{outcome.audio_s / outcome.real_s:.0f}; "
        f"{sum(one.windows for one in outcome.statuses)} windows, "
        f"{status.outages} outages, {status.nonfinite} NaN samples"
    )
    click.echo(
        f"samples: {account.captured} captured = {account.analysed} analysed + "
        f"{account.dropped} dropped + {account.discarded} discarded + {account.queued} queued: "
        f"{'balanced' if account.balanced else 'NOT BALANCED'}"
    )
    click.echo(
        f"memory: {outcome.memory_mb[0]:.0f} MB at first, {outcome.memory_mb[-1]:.0f} at last, "
        f"slope {outcome.memory_slope:+.2f} MB per 24 h of audio; threads {outcome.n_threads[0]} -> "
        f"{outcome.n_threads[1]}, files {outcome.n_files[0]} -> {outcome.n_files[1]}"
    )


if __name__ == "__main__":
    main()
