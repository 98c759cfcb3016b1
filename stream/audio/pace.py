"""The pace at which a file is heard: as it sounds, or as fast as it is taken."""

from __future__ import annotations

import threading
import time
from typing import Final

FAST_BLOCK_S: Final = 0.5
LIVE_BLOCK_S: Final = 0.005


class Pace:
    """When the sound of a file is due.

    Args:
        live: in real time, as a stage would hear it.
    """

    def __init__(self, live: bool) -> None:
        self.live = live
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
        if self._started is None:
            self._started = time.monotonic()
        due = self._started + heard_s if self.live else 0.0
        return not self._stopped.wait(max(0.0, due - time.monotonic()))

    def stop(self) -> None:
        """Ends a waiting ``wait``."""
        self._stopped.set()
