"""A pseudo terminal in which a command runs, and what it draws there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

DEADLINE_S = 60.0


class Terminal:
    """A process in a terminal of 110 x 34, and everything it has drawn."""

    def __init__(
        self,
        *arguments: str,
        command: Sequence[str] = ("-m", "mmgat.stream"),
        cwd: Path | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 34, 110, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, *command, *arguments], cwd=cwd,
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        )  # fmt: skip
        os.close(slave)
        self.drawn = self.raw = ""

    def read_until(self, wanted: str) -> None:
        """Reads what is drawn until ``wanted`` was, colours taken out."""
        end = time.monotonic() + DEADLINE_S
        while wanted not in self.drawn:
            assert time.monotonic() < end, f"{wanted!r} never appeared in:\n{self.drawn[-2000:]}"
            self._read()

    def wait(self) -> int:
        """Reads on until the process ends; its exit code."""
        end = time.monotonic() + DEADLINE_S
        while (code := self.process.poll()) is None:
            assert time.monotonic() < end, "the process does not end"
            self._read()
        self._read()
        return code

    def echoes_lines(self) -> bool:
        """Whether it does as a shell wants it to."""
        wanted = termios.ECHO | termios.ICANON | termios.ISIG
        return termios.tcgetattr(self.master)[3] & wanted == wanted

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def end(self) -> None:
        """Kills what still runs, and closes the terminal."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.master)

    def _read(self) -> None:
        if select.select([self.master], [], [], 0.1)[0]:
            try:
                text = os.read(self.master, 65536).decode("utf-8", "replace")
            except OSError:  # the other end is closed
                return
            self.raw += text
            self.drawn += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
