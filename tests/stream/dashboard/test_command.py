"""The command in a terminal of its own."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from mmgat.stream.dashboard.__main__ import main

NOBODY = "tcp://127.0.0.1:1"


class Terminal:
    """What a process writes to a pseudo-terminal, and the keys it reads."""

    def __init__(self, process: subprocess.Popen[bytes], end: int) -> None:
        self.process = process
        self.output = b""
        self._end = end

    def press(self, keys: bytes) -> None:
        os.write(self._end, keys)

    def read_until(self, text: bytes, timeout_s: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_s
        while text not in self.output:
            assert time.monotonic() < deadline, self.output
            self._read(0.1)

    def exit_code(self, timeout_s: float = 60.0) -> int:
        deadline = time.monotonic() + timeout_s
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "still running"
            self._read(0.05)
        while self._read(0.0):
            pass
        return self.process.returncode

    def _read(self, wait_s: float) -> bool:
        if not select.select([self._end], [], [], wait_s)[0]:
            return False
        try:
            self.output += (found := os.read(self._end, 65536))
        except OSError:
            return False
        return bool(found)


@contextmanager
def terminal(*arguments: str, program: str = "") -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *([program] if program else ["-m", "mmgat.stream.dashboard"]), *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.parametrize("key", [b"\x03", b"q", b"\x11"], ids=["ctrl+c", "q", "ctrl+q"])
def test_keys_quit_with_0(key: bytes) -> None:
    with terminal("--connect", NOBODY) as screen:
        screen.read_until(b"waiting for " + NOBODY.encode())
        screen.press(key)
        assert screen.exit_code() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_give_the_terminal_back(number: signal.Signals) -> None:
    with terminal("--connect", NOBODY) as screen:
        screen.read_until(b"waiting for ")
        screen.process.send_signal(number)
        assert screen.exit_code() == 0
        assert b"\x1b[?1049l" in screen.output, "the normal screen is back"


def test_what_a_library_writes_to_descriptor_2_goes_to_the_log(tmp_path: Path) -> None:
    program = tmp_path / "noisy.py"
    program.write_text(
        "import os\n"
        "from mmgat.stream.dashboard.app import DashboardApp\n"
        "from mmgat.stream.dashboard.__main__ import main\n"
        "DashboardApp.action_freeze = lambda self: os.write(2, b'ALSA: underrun\\n')\n"
        "main()\n"
    )
    with terminal("--connect", NOBODY, program=str(program)) as screen:
        screen.read_until(b"waiting for ")
        screen.press(b"6 ")
        screen.read_until(b"a library says: ALSA: underrun")
        assert screen.output.count(b"ALSA: underrun") == screen.output.count(b"library says: ALSA")


def test_bad_address_is_an_error_in_words() -> None:
    with terminal("--connect", "studio:5550") as screen:
        assert screen.exit_code() == 1
        assert b": expected an address such as tcp://127.0.0.1:5550" in screen.output
        assert b"Traceback" not in screen.output


def test_without_a_terminal_it_names_the_listener() -> None:
    result = CliRunner().invoke(main, ["--connect", NOBODY])
    assert result.exit_code == 1
    assert "mmgat-listen" in result.output


def test_help_imports_nothing_slow() -> None:
    program = (
        "import sys, mmgat.stream.dashboard.__main__; "
        "print({'textual', 'zmq', 'torch', 'numpy'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert shown.stdout.strip() == b"set()"


def test_picture_imports_neither_torch_nor_audio() -> None:
    program = (
        "import sys, mmgat.stream.dashboard.app; "
        "print({'torch', 'sounddevice', 'soundfile', 'soxr'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert shown.stdout.strip() == b"set()"
