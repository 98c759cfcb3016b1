"""The pace at which a file is heard: as it sounds, or as fast as it is taken."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

HELD_UP_S: Final = 0.5
"""Sound that is later than this (seconds) waited with its reader, as one that was stopped."""

FAST_BLOCK_S: Final = 0.5
LIVE_BLOCK_S: Final = 0.005


class Pace:
    """When the sound of a file is due.

    A reader that was held up, as by Ctrl+Z or a disk, goes on where it was: it does not catch up.

    Args:
        live: in real time, as a stage would hear it.
        clock: ``time.monotonic``, or another in tests.
    """

    def __init__(self, live: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.live, self._clock = live, clock
        self._stopped = threading.Event()
        self._started: float | None = None

    @property
    def block_s(self) -> float:
        """Length of a block, seconds."""
        return LIVE_BLOCK_S if self.live else FAST_BLOCK_S

    @property
    def stopped(self) -> bool:
        """Whether it was stopped."""
        return self._stopped.is_set()

    def begin(self) -> None:
        """The next block is the first."""
        self._started = None

    def wait(self, heard_s: float) -> bool:
        """Waits until so much has been heard; False if it was stopped meanwhile."""
        now = self._clock()
        if self._started is None:
            self._started = now
        late_s = now - self._started - heard_s if self.live else 0.0
        if late_s > HELD_UP_S:
            self._started += late_s
        return not self._stopped.wait(max(0.0, -late_s))

    def stop(self) -> None:
        """Ends a waiting ``wait``."""
        self._stopped.set()
