"""Log lines that a process of months can afford: few of a kind, and none across the dashboard."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

AT_MOST: Final = 5
WITHIN_S: Final = 60.0
KEPT: Final = 200
"""Lines kept for after the dashboard; older ones are forgotten."""


class RateLimit(logging.Filter):
    """Lets through ``at_most`` lines of one kind in any ``within_s``; then says how many it held.

    Lines are of one kind when the same statement of the same module wrote them.
    """

    def __init__(
        self,
        at_most: int = AT_MOST,
        within_s: float = WITHIN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._at_most, self._within_s, self._clock = at_most, within_s, clock
        self._passed: dict[tuple[str, str], deque[float]] = {}
        self._held: dict[tuple[str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        kind, now = (record.name, str(record.msg)), self._clock()
        passed = self._passed.setdefault(kind, deque())
        while passed and now - passed[0] >= self._within_s:
            passed.popleft()
        if len(passed) >= self._at_most:
            self._held[kind] = self._held.get(kind, 0) + 1
            return False
        passed.append(now)
        if held := self._held.pop(kind, 0):
            record.msg = f"{record.getMessage()} ({held} more like this were held back)"
            record.args = None
        return True


class _Later(logging.Handler):
    """Keeps the last lines until the terminal is free."""

    def __init__(self) -> None:
        super().__init__()
        self.records: deque[logging.LogRecord] = deque(maxlen=KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextlib.contextmanager
def configure_logging(*, later: bool) -> Iterator[None]:
    """Warnings of this package go to standard error, at most a few of a kind.

    Args:
        later: something else draws on the terminal; they are written when the block ends.
    """
    stderr = logging.StreamHandler()
    stderr.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler = _Later() if later else stderr
    handler.addFilter(RateLimit())
    log = logging.getLogger("mmgat")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        if isinstance(handler, _Later):
            for record in handler.records:
                stderr.handle(record)
