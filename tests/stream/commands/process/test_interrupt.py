"""Ctrl+C from a command's first line on: it ends, without a traceback, at every moment."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

BEGIN = "from mmgat.stream.commands.entry import stream; import os; os.write(1, b'.'); stream()"
"""What the installed script does; the byte says that it has begun."""

ENDS = (0, -signal.SIGINT)
"""A normal end, or that of any program while it is being loaded."""


@pytest.mark.parametrize("first_ms", range(20, 220, 20))
def test_ctrl_c_is_never_a_traceback(first_ms: int) -> None:
    for after_ms in range(first_ms, 1000, 200):
        process = subprocess.Popen(
            [sys.executable, "-c", BEGIN, "--demo", "--publish", "off", "--no-dashboard"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert os.read(process.stdout.fileno(), 1) == b"."
        threading.Event().wait(after_ms / 1000)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert b"Traceback" not in said, f"after {after_ms} ms: {said.decode()}"
        assert b"Error" not in said, f"after {after_ms} ms: {said.decode()}"
        assert process.returncode in ENDS, f"after {after_ms} ms"


def test_a_listener_without_an_engine_says_so_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mmgat.stream.commands.listen", "--connect", f"ipc://{tmp_path}/bus"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    assert select.select([process.stderr], [], [], 60)[0]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert b"does mmgat-stream run there" in said
    assert b"Traceback" not in said
    assert process.returncode == 0
