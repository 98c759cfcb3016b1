"""Engine and dashboard as parent and child in a real (pseudo) terminal."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mmgat.stream.bus.protocol import HELLO_TOPIC, STATUS_TOPIC, Hello, Status
from mmgat.stream.bus.subscriber import Subscriber
from tests.conftest import melody
from tests.stream.commands.terminal import DEADLINE_S, Terminal


@pytest.fixture
def start(
    untrained_checkpoint: Path, wav: Callable[..., Path], tmp_path: Path
) -> Iterator[Callable[[float], Terminal]]:
    terminals = []

    def start(seconds: float) -> Terminal:
        clip = wav(melody(seconds, 8_000), 8_000)
        terminal = Terminal(
            "--file", str(clip), "--model", str(untrained_checkpoint),
            "--publish", f"ipc://{tmp_path}/bus", "--jsonl", str(tmp_path / "log.jsonl"),
        )  # fmt: skip
        terminals.append(terminal)
        return terminal

    yield start
    for terminal in terminals:
        terminal.end()


def children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def test_quitting_the_dashboard_ends_the_engine_cleanly(
    start: Callable[[float], Terminal],
) -> None:
    terminal = start(40.0)
    terminal.read_until("LIVE")
    terminal.read_until("saxophone")
    terminal.type("q")
    assert terminal.wait() == 0
    assert "heard" in terminal.drawn
    assert "Traceback" not in terminal.drawn


def test_keys_change_the_engine_of_the_same_terminal_though_it_takes_no_requests_of_others(
    start: Callable[[float], Terminal], tmp_path: Path
) -> None:
    terminal = start(40.0)
    terminal.read_until("LIVE")
    with Subscriber(f"ipc://{tmp_path}/bus", (HELLO_TOPIC,)) as subscriber:
        hello = subscriber.receive(DEADLINE_S)
        assert isinstance(hello, Hello)
        assert hello.control == ""
    with Subscriber(f"ipc://{tmp_path}/bus", (STATUS_TOPIC,)) as subscriber:
        terminal.type("p")
        terminal.read_until("is paused (z: undo)")
        end = time.monotonic() + DEADLINE_S
        while not (isinstance(status := subscriber.receive(DEADLINE_S), Status) and status.paused):
            assert time.monotonic() < end, "no status says that the source is paused"
    terminal.type("q")
    assert terminal.wait() == 0
    assert "control:" not in terminal.drawn


def test_ctrl_c_in_the_dashboard_ends_both(start: Callable[[float], Terminal]) -> None:
    terminal = start(40.0)
    terminal.read_until("LIVE")
    terminal.type("\x03")
    assert terminal.wait() == 0


def test_a_dashboard_that_crashes_does_not_end_the_engine(
    start: Callable[[float], Terminal], tmp_path: Path
) -> None:
    terminal = start(40.0)
    terminal.read_until("LIVE")
    (dashboard,) = children(terminal.process.pid)
    assert not terminal.echoes_lines()
    os.kill(dashboard, signal.SIGKILL)
    terminal.read_until("recognition goes on")
    assert terminal.echoes_lines()
    assert "\x1b[?1049l" in terminal.raw  # the screen that was there before
    log = tmp_path / "log.jsonl"
    before = log.stat().st_size
    end = time.monotonic() + DEADLINE_S
    while log.stat().st_size == before:
        assert time.monotonic() < end, "the engine gave nothing more"
        select.select([], [], [], 0.1)
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.wait() == 0


def test_a_file_that_has_ended_leaves_its_last_picture_until_quit(
    start: Callable[[float], Terminal],
) -> None:
    terminal = start(1.5)
    terminal.read_until("ENDED")
    assert terminal.process.poll() is None
    terminal.type("q")
    assert terminal.wait() == 0


def test_when_the_engine_is_killed_its_dashboard_gives_the_terminal_back(
    start: Callable[[float], Terminal],
) -> None:
    terminal = start(40.0)
    terminal.read_until("LIVE")
    (dashboard,) = children(terminal.process.pid)
    terminal.process.kill()
    terminal.process.wait()
    end = time.monotonic() + DEADLINE_S
    while Path(f"/proc/{dashboard}").exists() and time.monotonic() < end:
        terminal._read()
    assert not Path(f"/proc/{dashboard}").exists()


def test_a_terminal_that_is_stopped_stops_neither_recognition_nor_the_end(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/bus"
    terminal = Terminal(
        "--demo", "--publish", address, "--jsonl", "-", "--set", "output.queue_messages=1"
    )
    try:
        terminal.read_until("estimate")
        terminal.type("\x13")  # Ctrl+S
        with Subscriber(address, (STATUS_TOPIC,)) as subscriber:
            for status in subscriber:
                if isinstance(status, Status) and status.sinks_dropped:
                    break
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(10) == 0
    finally:
        terminal.end()


WITH_A_TALKATIVE_LIBRARY = """
import os, stat, threading, time
from mmgat.stream.commands.entry import stream

def write():
    while not stat.S_ISFIFO(os.fstat(2).st_mode):  # until the dashboard is about to draw
        time.sleep(0.01)
    os.write(2, b"ALSA lib: no card\\n")

threading.Thread(target=write, daemon=True).start()
stream()
"""


def test_what_libraries_write_while_the_dashboard_draws_comes_afterwards(tmp_path: Path) -> None:
    terminal = Terminal(
        "--demo", "--publish", f"ipc://{tmp_path}/bus", command=("-c", WITH_A_TALKATIVE_LIBRARY)
    )
    try:
        terminal.read_until("LIVE")
        assert "ALSA" not in terminal.drawn
        terminal.type("q")
        assert terminal.wait() == 0
        assert "ALSA lib: no card" in terminal.drawn
    finally:
        terminal.end()
