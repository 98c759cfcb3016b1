"""The state of a terminal, given back where the program that drew on it could not do so."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Final

NORMAL: Final = b"".join(
    (
        b"\x1b[<u",  # keys as usual (kitty)
        b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l",  # no reports of the mouse
        b"\x1b[?1004l\x1b[?2004l",  # nor of the focus; pasted text as usual
        b"\x1b[?1049l",  # the screen that was there before
        b"\x1b[0m\x1b[?25h",  # plain colours, the cursor
    )
)
"""What a full-screen program that is killed leaves undone."""


class TerminalState:
    """The settings of a terminal, as they are now; of anything else, and on Windows, nothing.

    Args:
        descriptor: of the terminal.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._settings: Any = None
        with contextlib.suppress(ImportError):
            import termios

            with contextlib.suppress(termios.error):
                self._settings = termios.tcgetattr(descriptor)

    def restore(self) -> None:
        """Gives the terminal its settings back, its screen and its cursor."""
        if self._settings is None:
            return
        import termios

        with contextlib.suppress(termios.error, OSError):
            termios.tcsetattr(self._descriptor, termios.TCSANOW, self._settings)
            os.write(self._descriptor, NORMAL)
