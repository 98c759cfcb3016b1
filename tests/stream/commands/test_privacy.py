"""A program that hears a microphone talks to nobody and leaves no files about."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmgat.stream.commands.live.inputs import demo_clip
from tests.stream.commands.terminal import Terminal

RUN = "import sys; from mmgat.stream.commands.entry import {0}; {0}()"
STRACE = (
    "strace",
    "-f",
    "--seccomp-bpf",
    "-qq",
    "-e",
    "trace=connect,sendto,sendmmsg,sendmsg",
    "-o",
)
COMMANDS = {
    "stream": ["--demo", "--speed", "max", "--no-dashboard"],
    "tag": [str(demo_clip())],
    "listen": ["--count", "0", "--connect", "ipc://HOME/bus"],
}


def arguments(name: str, home: Path) -> list[str]:
    given = [text.replace("HOME", str(home.parent)) for text in COMMANDS[name]]
    address = ["--publish", f"ipc://{home.parent}/bus"] if name == "stream" else []
    return [sys.executable, "-c", RUN.format(name), *given, *address]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def environment(home: Path) -> dict[str, str]:
    hidden = {"ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"}
    return {k: v for k, v in os.environ.items() if k not in hidden} | {"HOME": str(home)}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_no_command_opens_a_socket_but_its_own_or_leaves_a_file(name: str, home: Path) -> None:
    trace = home.parent / "trace"
    done = subprocess.run(
        [*STRACE, trace, *arguments(name, home)],
        env=environment(home), capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    addressed = re.findall(r"sa_family=(AF_INET6?), .*", trace.read_text())
    assert addressed == []
    assert [path for path in home.rglob("*") if path.is_file()] == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_dashboard_and_its_engine_open_no_socket_but_their_own_or_leave_a_file(
    home: Path,
) -> None:
    trace = home.parent / "trace"
    traced = [*STRACE, str(trace), sys.executable, "-m", "mmgat.stream",
              "--demo", "--publish", f"ipc://{home.parent}/bus"]  # fmt: skip
    replace = f"import os; os.execvp('strace', {traced!r})"
    terminal = Terminal(command=("-c", replace), environment=environment(home), cwd=home)
    try:
        terminal.read_until("LIVE")
        terminal.read_until("piano")
        terminal.type("q")
        assert terminal.wait() == 0
    finally:
        terminal.end()
    text = trace.read_text()
    assert "bus" in text  # the dashboard was traced too
    assert re.findall(r"sa_family=(AF_INET6?), .*", text) == []
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_python_code_connects_to_no_other_machine(home: Path) -> None:
    hook = (
        "import sys; sys.addaudithook(lambda event, args: event in "
        "('socket.connect', 'socket.getaddrinfo', 'socket.sendto') and "
        "getattr(args[0], 'family', 0) != 1 and "  # a socket of this machine, at --publish
        "sys.stderr.write(f'TALKS {event} {args}\\n')); "
    )
    for name in COMMANDS:
        command = arguments(name, home)
        command[2] = hook + command[2]
        done = subprocess.run(
            command, env=environment(home), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "TALKS" not in done.stderr
    assert [path for path in home.rglob("*") if path.is_file()] == []
