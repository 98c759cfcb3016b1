"""The dashboard as a child process in the engine's terminal."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Final

from mmgat.stream.commands.process.terminal import TerminalState

END_TIMEOUT_S: Final = 2.0


class DashboardProcess:
    """A running dashboard.

    Args:
        address: of the publisher, as seen from this machine.
        control: address on which the engine takes its requests, and nobody else's.
        keys_from_terminal: standard input is audio, so keys come from the terminal itself.
        terminal: descriptor that it draws on.
    """

    def __init__(self, address: str, control: str, keys_from_terminal: bool, terminal: int) -> None:
        command = [sys.executable, "-P", "-m", "mmgat.stream.dashboard", "--connect", address]
        command += ["--control", control]
        self._before = TerminalState(terminal)
        keyboard = Path("/dev/tty") if keys_from_terminal else None
        with keyboard.open("rb") if keyboard else contextlib.nullcontext() as stdin:
            self._child = subprocess.Popen(command, stdin=stdin, stderr=terminal)

    @property
    def exit_code(self) -> int | None:
        """0 once the user has quit it, another number if it crashed, None while it runs.

        One that was killed has not given the terminal back: then that is done here.
        """
        code = self._child.poll()
        if code is not None and code < 0:
            self._before.restore()
        return code

    def end(self) -> None:
        """Ends it, and waits until it has given the terminal back."""
        if self._child.poll() is not None:
            return
        self._child.terminate()
        try:
            self._child.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
            self._before.restore()
