"""The dashboard in a terminal: how soon it shows something, what it costs, and whether it grows."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from mmgat.model.labels import LABELS
from mmgat.stream.bus.protocol import Estimate, Event, Hello, ModelInfo, SourceInfo, Status
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.dashboard.state.dashboard import DashboardState, advance, observe
from mmgat.stream.dashboard.state.view import View

N_SOURCES = 4
RATE_HZ = 30
RUN_S = 10.0
N_KEYS = 60
N_STARTS = 3
HOURS = 8.0
SCREEN_TEXTS = {
    "2": "following", "3": "begins at", "4": "4 sources", "5": "dropped", "6": "showing",
    "1": "plucked",
}  # fmt: skip
"""Key of a screen -> what stands on it alone."""

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def _hello(n_sources: int) -> Hello:
    return Hello(
        version="0",
        model=ModelInfo(
            name="none", version="0", embedder="", variant="",
            thresholds=dict.fromkeys(LABELS, 0.5),
        ),
        labels=list(LABELS),
        sources=[
            SourceInfo(name=f"mic {n}", kind="device", sample_rate_hz=48_000, channels=2)
            for n in range(n_sources)
        ],
        hop_s=0.5,
        nodes=10,
    )  # fmt: skip


def _estimate(source: str, index: int, t1: float, on: str) -> Estimate:
    scores = {label: 0.9 if label == on else (index * 7 + n) % 40 / 100
              for n, label in enumerate(LABELS)}  # fmt: skip
    return Estimate(
        source=source, index=index, t0=t1 - 1, t1=t1, scores=scores, bag_scores=scores,
        active=[on], evidence={label: [score / 10] * 10 for label, score in scores.items()},
        evidence_t0=[t1 - 10 + n for n in range(10)], level_dbfs=-20.0 - index % 7,
    )  # fmt: skip


def _status(source: str, t: float) -> Status:
    heard = int(48_000 * t)
    return Status(
        source=source, state="running", sample_rate_hz=48_000, captured=heard, analysed=heard,
        dropped=0, discarded=0, queued=0, windows=0, xruns=0, nonfinite=0, clipped=0, lag_ms=20.0,
        real_time_factor=0.02, level_dbfs=-20.0, uptime_s=t,
    )  # fmt: skip


def _instrument(t: float) -> str:
    return LABELS[int(t / 5) % len(LABELS)]


def _publish(publisher: Publisher, ending: threading.Event) -> None:
    """``RATE_HZ`` estimates a second from each of ``N_SOURCES`` sources, until the end."""
    publisher(_hello(N_SOURCES))
    begun, index = time.monotonic(), 0
    for n in range(N_SOURCES):
        on = Event(source=f"mic {n}", event="on", id="a", label=LABELS[0], time_s=1, onset_s=1,
                   score=0.9)  # fmt: skip
        publisher(on)
    while not ending.wait(max(0.0, begun + index / RATE_HZ - time.monotonic())):
        t = 1 + index / RATE_HZ
        for n in range(N_SOURCES):
            publisher(_estimate(f"mic {n}", index, t, LABELS[0]))
            if index % RATE_HZ == 0:
                publisher(_status(f"mic {n}", t))
        index += 1


class Terminal:
    """A dashboard in a pseudo-terminal of 120 x 40."""

    def __init__(self, address: str) -> None:
        self.begun = time.perf_counter()
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        command = [sys.executable, "-P", "-m", "mmgat.stream.dashboard", "--connect", address]
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs,
            env=os.environ | {"TERM": "xterm-256color"},
        )  # fmt: skip
        os.close(theirs)
        self._shown = b""

    def wait_for(self, text: str, timeout_s: float = 30.0) -> float:
        """Seconds from the start of the process, or since the last ``press``, until it is shown."""
        until = time.perf_counter() + timeout_s
        while text.encode() not in self._shown:
            if time.perf_counter() > until:
                raise TimeoutError(f"expected {text!r} on the screen within {timeout_s:g} s")
            self.read(0.05)
        return time.perf_counter() - self.begun

    def press(self, key: str) -> None:
        self._shown = b""
        self.begun = time.perf_counter()
        os.write(self._ours, key.encode())

    def read(self, timeout_s: float) -> None:
        if select.select([self._ours], [], [], timeout_s)[0]:
            self._shown = self._shown[-200_000:] + os.read(self._ours, 65_536)

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        os.close(self._ours)


@contextlib.contextmanager
def _terminal(address: str) -> Iterator[Terminal]:
    terminal = Terminal(address)
    try:
        yield terminal
    finally:
        terminal.close()


def dashboard() -> Iterator[str]:
    """Start, late join, keys and CPU in a terminal, with 4 sources; memory over 8 hours."""
    starts = []
    for _ in range(N_STARTS):
        with _terminal("tcp://127.0.0.1:1") as terminal:
            starts.append(terminal.wait_for("waiting for"))
    yield f"dashboard, process start to first paint: {statistics.median(starts):.2f} s"
    publisher, ending = Publisher("tcp://127.0.0.1:*"), threading.Event()
    thread = threading.Thread(target=_publish, args=(publisher, ending))
    thread.start()
    try:
        with _terminal(publisher.connect_address) as terminal:
            paint_s = terminal.wait_for("waiting for")
            full_s = terminal.wait_for("since ")
            yield f"dashboard, process start to full picture of a running engine: {full_s:.2f} s"
            yield f"  of which after the first paint: {full_s - paint_s:.2f} s"
            cpu_s, begun = terminal.cpu_s(), time.perf_counter()
            while time.perf_counter() - begun < RUN_S:
                terminal.read(0.1)
            share = (terminal.cpu_s() - cpu_s) / (time.perf_counter() - begun)
            yield f"dashboard, {N_SOURCES} x {RATE_HZ} estimates/s: {share:.0%} of one core"
            for key, text in SCREEN_TEXTS.items():  # the first time a screen is made
                terminal.press(key)
                terminal.wait_for(text)
            delays = []
            for n in range(N_KEYS):
                key = list(SCREEN_TEXTS)[n % len(SCREEN_TEXTS)]
                terminal.press(key)
                delays.append(1000 * terminal.wait_for(SCREEN_TEXTS[key]))
            p95 = statistics.quantiles(delays, n=20)[-1]
            yield f"  key to redraw: median {statistics.median(delays):.0f} ms, p95 {p95:.0f} ms"
    finally:
        ending.set()
        thread.join()
        publisher.close()
    yield from memory()


def memory(hours: float = HOURS) -> Iterator[str]:
    """A session of hours, as fast as it goes, with a picture of every screen each minute."""
    from importlib import import_module

    from mmgat.stream.dashboard.screens.frame import SCREENS

    renders = [import_module(f"mmgat.stream.dashboard.screens.{name}").render for name in SCREENS]
    state, begun, sizes = (
        advance(DashboardState(address=""), _hello(1), 0.0),
        time.perf_counter(),
        [],
    )
    unix = 1_800_000_000.0
    for index in range(round(2 * 3600 * hours)):
        t = 1 + index / 2
        message = _estimate("mic 0", index, t, _instrument(t))
        state = advance(state, message, t, unix + t)
        if index % 2 == 0:
            state = advance(state, _status("mic 0", t), t, unix + t)
        if t % 5 == 0:
            label = _instrument(t - 5)
            for kind, name, onset in (("off", label, t - 5), ("on", _instrument(t), t)):
                event = Event(source="mic 0", event=kind, id=f"{name}-{onset}", label=name,
                              time_s=t, onset_s=max(0.0, onset), score=0.9)  # type: ignore[arg-type]  # fmt: skip
                state = advance(state, event, t, unix + t)
        if t % 60 == 0:
            state = observe(state, t, unix + t)
            for render in renders:
                render(View(state, t, unix + t), 120, 40)
        if t % (450 * hours) == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            sizes.append(pages * PAGE_BYTES / 2**20)
    took = time.perf_counter() - begun
    yield (
        f"dashboard, {hours:g} h of a session in {took:.0f} s ({3600 * hours / took:.0f} x): "
        f"resident {sizes[1]:.0f} MiB after a quarter, {sizes[-1]:.0f} MiB at the end"
    )
