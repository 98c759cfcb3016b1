"""One run: mmgat-stream listens to a PulseAudio server that is killed on the way."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np
import soundfile
import soxr

from mmgat.stream.bus.protocol import Estimate, Status
from mmgat.stream.bus.subscriber import Subscriber
from tools.live_check.bus import Bus, FactBrokenError, is_liveness
from tools.namespace import ROOT
from tools.pulse import environment_of, start_server

CLIP: Final = ROOT / "stream" / "demo" / "demo.ogg"
AWAY_S: Final = 5.0
NAN_EVERY_S: Final = 2.0
SOMETHING_ON_S: Final = 30.0
SHUTDOWN_TIMEOUT_S: Final = 60.0
BUFFER_FRAMES: Final = (4 << 20) // 8
"""What the server keeps for a client that does not read: 4 MB of floats on two channels."""

CAPTURE_TOLERANCE_S: Final = 3.0
"""A status comes once a second, and the audio server gives its sound in lumps."""

MAX_LAG_MS: Final = 1000.0


@dataclass(frozen=True)
class Plan:
    """What a run does.

    Attributes:
        half_s: seconds that are measured, before the server dies and after it.
        settle_s: seconds that are not, before each of them.
        healed_s: seconds that the input has for being healthy again.
        hop_s, model: of mmgat-stream.
        rate_hz: of the device; the higher it is, the sooner sound is lost when nobody reads it.
        busy: cores that are kept busy.
        one_is_enough: the run ends at the first fact that does not hold.
    """

    half_s: float
    settle_s: float = 10.0
    healed_s: float = 60.0
    hop_s: float = 0.25
    model: str = "compact"
    rate_hz: int = 44_100
    busy: int = 0
    one_is_enough: bool = False

    @property
    def stopped_s(self) -> float:
        """Seconds after which a process that does not read has lost some two seconds."""
        return BUFFER_FRAMES / self.rate_hz + 2.0


SHORT: Final = Plan(half_s=5.0, settle_s=1.0, healed_s=20.0, rate_hz=192_000, one_is_enough=True)


class _Processes(ExitStack):
    """Those that end with the run."""

    def add(self, process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
        self.callback(process.wait)
        self.callback(process.kill)
        return process


def check(folder: Path, plan: Plan, environment: Mapping[str, str] | None = None) -> list[str]:
    """Runs mmgat-stream on a server in an empty folder, and tells how it went.

    Args:
        folder: takes the server's files, the clip and the bus.
        plan: what is done.
        environment: of mmgat-stream, beside what leads it to the server.

    Returns:
        The facts that do not hold.

    Raises:
        ClickException: there is nothing to look at.
    """
    clip = _write_clip(folder / "clip.wav", plan.rate_hz)
    around = dict(environment or {}) | environment_of(folder)
    if environment and "PYTHONPATH" in environment:
        around["PYTHONPATH"] = environment["PYTHONPATH"]
    address = f"ipc://{folder}/bus"
    with _Processes() as processes:
        server = processes.add(start_server(folder, plan.rate_hz))
        play = f"while true; do paplay '{clip}' || sleep 0.2; done"
        processes.add(subprocess.Popen(["sh", "-c", play], env=around, stderr=subprocess.DEVNULL))
        engine = processes.add(
            subprocess.Popen(
                [sys.executable, "-m", "mmgat.stream", "--device", "pulse", "--no-dashboard",
                 "--rate", str(plan.rate_hz), "--hop", str(plan.hop_s), "--model", plan.model,
                 "--publish", address],
                env=around, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
        )  # fmt: skip
        bus = Bus(processes.enter_context(Subscriber(address)), plan.hop_s, plan.one_is_enough)
        with suppress(FactBrokenError):
            _follow(bus, plan, folder, server, engine, processes)
        return bus.broken


def _follow(
    bus: Bus,
    plan: Plan,
    folder: Path,
    server: subprocess.Popen[bytes],
    engine: subprocess.Popen[bytes],
    processes: _Processes,
) -> None:
    """All that happens, in turn."""
    if not bus.follow(SHUTDOWN_TIMEOUT_S, lambda message: isinstance(message, Estimate)):
        raise click.ClickException("expected estimates from mmgat-stream, found none")
    for _ in range(plan.busy):
        processes.add(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
    _measure(bus, plan, "before the server dies")
    _stop_for_a_while(bus, plan, engine)

    bus.expect(
        bus.is_anything_on or bus.follow(SOMETHING_ON_S, lambda _: bus.is_anything_on),
        "no instrument is on while the clip is played",
    )
    before, before_at = bus.next_status(), time.monotonic()
    server.kill()
    server.wait()
    killed_at = time.monotonic()
    seen = bus.follow(SHUTDOWN_TIMEOUT_S, is_liveness("alarmed", "recovering", "escalated"))
    bus.expect(seen, "the bus says nothing of a killed server")
    click.echo(
        f"server killed: the bus says {bus.counters().liveness!r} "
        f"{time.monotonic() - killed_at:.1f} s later"
    )
    bus.follow(AWAY_S)
    bus.expect_no_open_events("while the server is away")
    processes.add(start_server(folder, plan.rate_hz))
    back_at = time.monotonic()
    healed = bus.follow(plan.healed_s, is_liveness("healthy"))
    bus.expect(healed, "the input does not heal when the server is back")
    click.echo(f"server back: healthy again on the bus {time.monotonic() - back_at:.1f} s later")
    outages = bus.counters().outages - before.outages
    bus.expect(outages == 1, f"{outages} outages counted instead of 1")
    after = bus.next_status()
    _expect_captured(bus, "with the server's absence", before, after, time.monotonic() - before_at)
    _measure(bus, plan, "after it")

    engine.send_signal(signal.SIGTERM)
    asked_at = time.monotonic()
    bus.follow(1.0)
    code = engine.wait(SHUTDOWN_TIMEOUT_S)
    click.echo(f"SIGTERM: exit code {code} after {time.monotonic() - asked_at:.2f} s at most")
    bus.follow(1.0)
    bus.expect(code == 0, f"exit code {code} after SIGTERM instead of 0")
    bus.expect_no_open_events("after the end")


def _write_clip(path: Path, rate_hz: int) -> Path:
    """The demo as floats of that rate, with NaN in it every two seconds."""
    sound, found_hz = soundfile.read(CLIP, dtype="float32")
    sound = soxr.resample(sound, found_hz, rate_hz)
    step = round(NAN_EVERY_S * rate_hz)
    for at in range(step, len(sound) - step, step):
        sound[at : at + 8] = np.nan
    soundfile.write(path, sound, rate_hz, subtype="FLOAT")
    return path


def _expect_captured(bus: Bus, when: str, before: Status, now: Status, seconds: float) -> None:
    captured_s = (now.captured - before.captured) / now.sample_rate_hz
    bus.expect(
        abs(captured_s - seconds) < CAPTURE_TOLERANCE_S,
        f"{when}: {captured_s:.1f} s captured in {seconds:.1f} s",
    )


def _stop_for_a_while(bus: Bus, plan: Plan, engine: subprocess.Popen[bytes]) -> None:
    """Stops the process for longer than the server keeps its sound: an overflow."""
    before, before_at = bus.next_status(), time.monotonic()
    engine.send_signal(signal.SIGSTOP)
    time.sleep(plan.stopped_s)
    engine.send_signal(signal.SIGCONT)
    bus.follow(SHUTDOWN_TIMEOUT_S, is_liveness("healthy"))
    bus.follow(2.0)
    now = bus.next_status()
    seconds = time.monotonic() - before_at
    lost_s = (now.dropped - before.dropped) / now.sample_rate_hz
    xruns = now.xruns - before.xruns
    click.echo(f"stopped for {plan.stopped_s:.1f} s: {lost_s:.1f} s lost, {xruns} overflows")
    bus.expect(xruns > 0, "sound was lost in the audio system, and no overflow is counted")
    _expect_captured(bus, "with the time it was stopped", before, now, seconds)


def _measure(bus: Bus, plan: Plan, when: str) -> None:
    """Follows a stretch, and compares the counters with the time and the bus."""
    bus.follow(plan.settle_s)
    before, seconds = bus.next_status(), plan.half_s
    bus.lags_ms.clear()
    bus.follow(seconds)
    now = bus.counters()
    _expect_captured(bus, when, before, now, seconds)
    bus.expect(bool(bus.lags_ms), f"{when}: no estimates")
    n_windows = len(bus.lags_ms)
    lost = now.dropped - before.dropped
    expected = (seconds - lost / now.sample_rate_hz) / bus.hop_s
    bus.expect(
        abs(n_windows - expected) * bus.hop_s < CAPTURE_TOLERANCE_S,
        f"{when}: {n_windows} estimates, expected {expected:.0f}",
    )
    counted = now.windows - before.windows
    bus.expect(
        abs(counted - n_windows) * bus.hop_s < CAPTURE_TOLERANCE_S,
        f"{when}: {counted} windows counted, {n_windows} estimates came",
    )
    lags = np.percentile(bus.lags_ms or [0.0], [50, 99, 100])
    bus.expect(0 < lags[0] < MAX_LAG_MS, f"{when}: a median lag of {lags[0]:.0f} ms")
    bus.expect(now.lag_ms > 0, f"{when}: a status with a lag of {now.lag_ms:.0f} ms")
    bus.expect(now.nonfinite > before.nonfinite, f"{when}: NaN came and none is counted")
    click.echo(
        f"{when}: {(now.captured - before.captured) / now.sample_rate_hz:.0f} s captured, "
        f"{lost} samples lost, {now.xruns - before.xruns} overflows; lag p50 {lags[0]:.0f}, "
        f"p99 {lags[1]:.0f}, most {lags[2]:.0f} ms over {n_windows} estimates"
    )
