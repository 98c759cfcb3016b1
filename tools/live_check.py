"""Real time, for real: a PulseAudio device, loaded cores, a server that dies, and the account of it.

    python -m tools.live_check                ten minutes at hop 0.25, both cores otherwise loaded
    python -m tools.live_check --minutes 1

The clip is played into a null sink, mmgat-stream listens to its monitor in a process of its own,
and a subscriber of the bus counts. Half-way the server is killed, and started anew after a while.
The subscriber believes no counter: it counts estimates, events and time itself, and the check exits
with 1 and a list of the facts that do not hold.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click
import numpy as np

from mmgat.stream.bus.protocol import Estimate, Event, Message, Status
from mmgat.stream.bus.subscriber import Subscriber
from tools.pulse import environment_of, start_server

AWAY_S: Final = 5.0
SETTLE_S: Final = 10.0
SHUTDOWN_TIMEOUT_S: Final = 60.0
CAPTURE_TOLERANCE_S: Final = 3.0
"""A status comes once a second, and the audio server gives its sound in lumps."""

MAX_LAG_MS: Final = 1000.0


class Bus:
    """Follows what the engine publishes, and notes each fact that it breaks.

    Args:
        subscriber: of the engine.
        hop_s: seconds between windows.
    """

    def __init__(self, subscriber: Subscriber, hop_s: float) -> None:
        self._subscriber, self.hop_s = subscriber, hop_s
        self.lags_ms: list[float] = []
        self.status: Status | None = None
        self.broken: list[str] = []
        self._open: dict[str, Event] = {}
        self._index = -1
        self._next_seq: dict[tuple[type, str], int] = {}

    def follow(self, seconds: float, until: Callable[[Message], bool] = lambda _: False) -> bool:
        """Listens for so long, or until a message is the one awaited; True if that came."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            message = self._subscriber.receive(left)
            if message is not None:
                self._note(message)
            if message is not None and until(message):
                return True
        return False

    def expect(self, holds: bool, fact: str) -> None:
        """Notes a fact that does not hold."""
        if not holds:
            self.broken.append(fact)

    def _note(self, message: Message) -> None:
        if not isinstance(message, Estimate | Event | Status):
            return
        stream = (type(message), "" if isinstance(message, Status) else message.source)
        expected = self._next_seq.get(stream, message.seq)
        self.expect(message.seq == expected, f"{stream}: seq {message.seq} instead of {expected}")
        self._next_seq[stream] = message.seq + 1
        if isinstance(message, Status):
            self.status = message
            ends = message.analysed + message.dropped + message.discarded + message.queued
            self.expect(message.captured == ends, f"not balanced: {message}")
        elif isinstance(message, Event):
            self._note_event(message)
        else:
            self.expect(message.index > self._index, f"window {message.index} comes twice")
            self._index = message.index
            if not message.partial:
                self.lags_ms.append(message.latency_ms)

    def _note_event(self, event: Event) -> None:
        if event.event == "on":
            self.expect(event.id not in self._open, f"{event.id} begins twice")
            self._open[event.id] = event
        elif begun := self._open.pop(event.id, None):
            same = event.onset_s == begun.time_s <= event.time_s
            self.expect(same, f"{event.id} ends with another onset than it began with")

    def expect_no_open_events(self, when: str) -> None:
        """Notes those instruments that are on and should not be."""
        self.expect(not self._open, f"{when} {sorted(self._open)} are still on")

    def counters(self) -> Status:
        """The newest status.

        Raises:
            ClickException: none has come.
        """
        if self.status is None:
            raise click.ClickException("expected a status from mmgat-stream, found none")
        return self.status


def is_liveness(*states: str) -> Callable[[Message], bool]:
    """Whether a message is a status with one of these."""
    return lambda message: isinstance(message, Status) and message.liveness in states


def loads(n: int) -> list[subprocess.Popen[bytes]]:
    """Processes that keep a core busy each."""
    return [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]


@click.command()
@click.option("--minutes", default=10.0, show_default=True)
@click.option("--hop", default=0.25, show_default=True)
@click.option("--model", default="compact", show_default=True)
@click.option("--busy", default=os.cpu_count() or 1, show_default=True, help="Cores kept busy.")
def main(minutes: float, hop: float, model: str, busy: int) -> None:
    """Check the live path against a real audio server under load."""
    half_s = 30 * minutes
    clip = Path(__file__).parent.parent / "stream" / "demo" / "demo.ogg"
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        environment = environment_of(folder)

        def started(process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        server = started(start_server(folder))
        play = f"while true; do paplay '{clip}' || sleep 0.2; done"
        started(subprocess.Popen(["sh", "-c", play], env=environment, stderr=subprocess.DEVNULL))
        engine = started(
            subprocess.Popen(
                [sys.executable, "-m", "mmgat.stream", "--device", "pulse", "--hop", str(hop),
                 "--model", model, "--no-dashboard", "--publish", f"ipc://{folder}/bus"],
                env=environment, stdout=subprocess.DEVNULL,
            )
        )  # fmt: skip
        bus = Bus(stack.enter_context(Subscriber(f"ipc://{folder}/bus")), hop)
        if not bus.follow(SHUTDOWN_TIMEOUT_S, lambda message: isinstance(message, Estimate)):
            raise click.ClickException("expected estimates from mmgat-stream, found none")
        for process in loads(busy):
            started(process)
        bus.follow(SETTLE_S)
        bus.lags_ms.clear()
        before = bus.counters()
        bus.follow(half_s)
        _tell("before the server dies", bus, before, half_s)

        server.kill()
        server.wait()
        killed_at = time.monotonic()
        seen = bus.follow(SHUTDOWN_TIMEOUT_S, is_liveness("alarmed", "recovering", "escalated"))
        click.echo(
            f"server killed: the bus says {bus.counters().liveness!r} "
            f"{time.monotonic() - killed_at:.1f} s later"
            if seen
            else "server killed: THE BUS SAYS NOTHING"
        )
        bus.expect(seen, "the bus says nothing of a killed server")
        bus.follow(AWAY_S)
        bus.expect_no_open_events("while the server is away")
        started(start_server(folder))
        back_at = time.monotonic()
        healed = bus.follow(SHUTDOWN_TIMEOUT_S, is_liveness("healthy"))
        click.echo(
            f"server back: healthy again on the bus {time.monotonic() - back_at:.1f} s later"
            if healed
            else "server back: NOT HEALED"
        )
        bus.expect(healed, "the input does not heal when the server is back")
        bus.expect(bus.counters().outages == 1, f"{bus.counters().outages} outages instead of 1")
        bus.follow(SETTLE_S)
        bus.lags_ms.clear()
        before = bus.counters()
        bus.follow(half_s)
        _tell("after it", bus, before, half_s)

        engine.send_signal(signal.SIGTERM)
        asked_at = time.monotonic()
        bus.follow(1.0)
        code = engine.wait(SHUTDOWN_TIMEOUT_S)
        click.echo(f"SIGTERM: exit code {code} after {time.monotonic() - asked_at:.2f} s")
        bus.follow(1.0)
        bus.expect(code == 0, f"exit code {code} after SIGTERM instead of 0")
        bus.expect_no_open_events("after the end")
    for fact in bus.broken:
        click.echo(f"BROKEN: {fact}", err=True)
    if bus.broken:
        sys.exit(1)
    click.echo("every fact holds")


def _tell(when: str, bus: Bus, before: Status, seconds: float) -> None:
    """Reports a stretch of so many seconds, and compares the counters with the time and the bus."""
    now = bus.counters()
    balanced = now.captured == now.analysed + now.dropped + now.discarded + now.queued
    captured_s = (now.captured - before.captured) / now.sample_rate_hz
    bus.expect(
        abs(captured_s - seconds) < CAPTURE_TOLERANCE_S,
        f"{when}: {captured_s:.1f} s captured in {seconds:.1f} s",
    )
    bus.expect(bool(bus.lags_ms), f"{when}: no estimates")
    n_windows = len(bus.lags_ms)
    lost = now.dropped - before.dropped
    expected = (seconds - lost / now.sample_rate_hz) / bus.hop_s
    bus.expect(
        abs(n_windows - expected) * bus.hop_s < CAPTURE_TOLERANCE_S,
        f"{when}: {n_windows} estimates, expected {expected:.0f}",
    )
    bus.expect(
        abs(now.windows - before.windows - n_windows) * bus.hop_s < CAPTURE_TOLERANCE_S,
        f"{when}: {now.windows - before.windows} windows counted, {n_windows} estimates came",
    )
    lags = np.percentile(bus.lags_ms or [0.0], [50, 99, 100])
    bus.expect(0 < lags[0] < MAX_LAG_MS, f"{when}: a median lag of {lags[0]:.0f} ms")
    click.echo(
        f"{when}: {(now.captured - before.captured) / now.sample_rate_hz:.0f} s captured, "
        f"{now.dropped - before.dropped} samples lost, {now.xruns - before.xruns} overflows, "
        f"account {'balanced' if balanced else 'NOT BALANCED'}; lag p50 {lags[0]:.0f}, "
        f"p99 {lags[1]:.0f}, most {lags[2]:.0f} ms over {len(bus.lags_ms)} estimates"
    )


if __name__ == "__main__":
    main()
