"""Real time, for real: a PulseAudio device, loaded cores, a server that dies, and the account of it.

    python -m tools.live_check                ten minutes at hop 0.25, both cores otherwise loaded
    python -m tools.live_check --minutes 1

The clip is played into a null sink, mmgat-stream listens to its monitor in a process of its own,
and a subscriber of the bus counts. Half-way the server is killed, and started anew after a while.
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

from mmgat.stream.bus.protocol import Estimate, Message, Status
from mmgat.stream.bus.subscriber import Subscriber
from tools.pulse import environment_of, start_server

AWAY_S: Final = 5.0
SETTLE_S: Final = 10.0
SHUTDOWN_TIMEOUT_S: Final = 60.0


class Bus:
    """What the engine says, with the time it came."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self.lags_ms: list[float] = []
        self.status: Status | None = None

    def follow(self, seconds: float, until: Callable[[Message], bool] = lambda _: False) -> bool:
        """Listens for so long, or until a message is the one awaited; True if that came."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            message = self._subscriber.receive(left)
            if isinstance(message, Estimate) and not message.partial:
                self.lags_ms.append(message.latency_ms)
            if isinstance(message, Status):
                self.status = message
            if message is not None and until(message):
                return True
        return False

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
        bus = Bus(stack.enter_context(Subscriber(f"ipc://{folder}/bus")))
        if not bus.follow(SHUTDOWN_TIMEOUT_S, lambda message: isinstance(message, Estimate)):
            raise click.ClickException("expected estimates from mmgat-stream, found none")
        for process in loads(busy):
            started(process)
        bus.follow(SETTLE_S)
        bus.lags_ms.clear()
        before = bus.counters()
        bus.follow(half_s)
        _tell("before the server dies", bus, before)

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
        bus.follow(AWAY_S)
        started(start_server(folder))
        back_at = time.monotonic()
        healed = bus.follow(SHUTDOWN_TIMEOUT_S, is_liveness("healthy"))
        click.echo(
            f"server back: healthy again on the bus {time.monotonic() - back_at:.1f} s later"
            if healed
            else "server back: NOT HEALED"
        )
        bus.follow(SETTLE_S)
        bus.lags_ms.clear()
        before = bus.counters()
        bus.follow(half_s)
        _tell("after it", bus, before)

        engine.send_signal(signal.SIGTERM)
        asked_at = time.monotonic()
        code = engine.wait(SHUTDOWN_TIMEOUT_S)
        click.echo(f"SIGTERM: exit code {code} after {time.monotonic() - asked_at:.2f} s")


def _tell(when: str, bus: Bus, before: Status) -> None:
    now = bus.counters()
    balanced = now.captured == now.analysed + now.dropped + now.discarded + now.queued
    lags = np.percentile(bus.lags_ms, [50, 99, 100])
    click.echo(
        f"{when}: {(now.captured - before.captured) / now.sample_rate_hz:.0f} s captured, "
        f"{now.dropped - before.dropped} samples lost, {now.xruns - before.xruns} overflows, "
        f"account {'balanced' if balanced else 'NOT BALANCED'}; lag p50 {lags[0]:.0f}, "
        f"p99 {lags[1]:.0f}, most {lags[2]:.0f} ms over {len(bus.lags_ms)} estimates"
    )


if __name__ == "__main__":
    main()
