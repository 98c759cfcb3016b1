"""Lines on standard error that a process of months can afford: few of a kind, and never in the way.

A terminal that is stopped (Ctrl+S), closed or full makes nobody wait, and a running dashboard is not
drawn over: its lines come afterwards.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from mmgat.stream.descriptor import RedirectedDescriptor
from mmgat.stream.sinks.text import LineWriter, printable

MAX_LINES: Final = 5
WITHIN_S: Final = 60.0
MAX_WAITING: Final = 200
"""Lines that wait for the terminal, or for the dashboard's end; beyond it some are lost."""

SHUTDOWN_TIMEOUT_S: Final = 0.2


class RateLimit(logging.Filter):
    """Lets through ``max_lines`` lines of one kind in any ``within_s``; then says how many it held.

    Lines are of one kind when the same statement of the same module wrote them, or when they carry
    the same attribute ``kind``. A line whose attribute ``audit`` is true is never held back.
    """

    def __init__(
        self,
        max_lines: int = MAX_LINES,
        within_s: float = WITHIN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._max_lines, self._within_s, self._clock = max_lines, within_s, clock
        self._passed: dict[tuple[str, str], deque[float]] = {}
        self._held: dict[tuple[str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        if getattr(record, "audit", False):
            return True
        kind, now = (record.name, getattr(record, "kind", str(record.msg))), self._clock()
        passed = self._passed.setdefault(kind, deque())
        while passed and now - passed[0] >= self._within_s:
            passed.popleft()
        if len(passed) >= self._max_lines:
            self._held[kind] = self._held.get(kind, 0) + 1
            return False
        passed.append(now)
        if held := self._held.pop(kind, 0):
            record.msg = f"{record.getMessage()} ({held} more like this were held back)"
            record.args = None
        return True


class Stderr(logging.Handler):
    """Standard error, written by a thread of its own; what cannot be written is lost.

    Args:
        descriptor: where to write instead of to the descriptor of ``sys.stderr``.

    Attributes:
        descriptor: 2, or where descriptor 2 went before it was redirected.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self.descriptor = 2 if descriptor is None else descriptor
        self._writer = LineWriter.to_stream(sys.stderr)
        if descriptor is not None and self._writer is not None and self._writer.may_block:
            self._writer = LineWriter(descriptor, getattr(sys.stderr, "encoding", None) or "utf-8")
        self._waiting: queue.Queue[str | None] = queue.Queue(MAX_WAITING)
        self._thread: threading.Thread | None = None
        if self._writer is not None and self._writer.may_block:
            self._thread = threading.Thread(target=self._run, name="stderr", daemon=True)
            self._thread.start()

    def say(self, text: str) -> None:
        """Writes a text as it is, but for control characters."""
        for line in text.splitlines():
            if self._thread is None:
                self._write(line)
            else:
                with contextlib.suppress(queue.Full):
                    self._waiting.put_nowait(line)

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a log record."""
        self.say(self.format(record))

    def finish(self) -> None:
        """Writes what waits, as far as the terminal takes it."""
        if self._thread is not None:
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait(None)
            self._thread.join(SHUTDOWN_TIMEOUT_S)

    def _run(self) -> None:
        while (line := self._waiting.get()) is not None:
            self._write(line)

    def _write(self, line: str) -> None:
        if self._writer is not None:
            with contextlib.suppress(OSError, ValueError):  # closed, full, or gone
                self._writer.write(printable(line))


class _Later(logging.Handler):
    """Keeps the last records until the terminal is free."""

    def __init__(self) -> None:
        super().__init__()
        self.records: deque[logging.LogRecord] = deque(maxlen=MAX_WAITING)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextlib.contextmanager
def configure_logging(*, later: bool) -> Iterator[Stderr]:
    """Sends warnings of this package to standard error, at most a few of a kind.

    Args:
        later: something else draws on the terminal; warnings, and what libraries write to
            descriptor 2, are written when the block ends.
    """
    log = logging.getLogger("mmgat")
    if not later:
        stderr = Stderr()
        stderr.addFilter(RateLimit())
        log.addHandler(stderr)
        try:
            yield stderr
        finally:
            log.removeHandler(stderr)
            stderr.finish()
        return
    kept, redirected = _Later(), RedirectedDescriptor()
    kept.addFilter(RateLimit())
    log.addHandler(kept)
    stderr = Stderr(redirected.saved)
    try:
        yield stderr
    finally:
        log.removeHandler(kept)
        redirected.restore()
        for record in kept.records:
            stderr.handle(record)
        for line in redirected.lines.copy():
            stderr.say(line)
        stderr.finish()
