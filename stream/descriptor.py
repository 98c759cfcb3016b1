"""Descriptor 2 while something draws on the terminal: what libraries write there is kept."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import Final

MAX_LINES: Final = 200
"""Lines that are kept; beyond it the oldest are lost."""

RESTORE_TIMEOUT_S: Final = 0.2


class RedirectedDescriptor:
    """Keeps the last lines that are written to descriptor 2, until ``restore``.

    Attributes:
        lines: so far; whoever shows one takes it out.
        saved: where descriptor 2 went before.
    """

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=MAX_LINES)
        self.saved = os.dup(2)
        self._reading, writing = os.pipe()
        os.dup2(writing, 2)
        os.close(writing)
        self._thread = threading.Thread(target=self._run, name="descriptor 2", daemon=True)
        self._thread.start()

    def restore(self) -> None:
        """Ends the redirection."""
        os.dup2(self.saved, 2)
        self._thread.join(RESTORE_TIMEOUT_S)

    def _run(self) -> None:
        with open(self._reading, encoding="utf-8", errors="replace") as written:
            for line in written:
                self.lines.append(line.rstrip("\n"))
