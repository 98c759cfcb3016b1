"""Warnings of the status messages as log lines: one when a fault begins, one when it has ended."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from mmgat.stream.bus.protocol import Status

_NUMBERS: Final = re.compile(r"\d+(\.\d+)?%?")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Fault:
    """A warning that holds."""

    kind: str
    text: str
    since: float


class WarningLog:
    """Logs the faults of all sources.

    Two warnings that differ in their numbers only are the same fault. A source that has failed is
    not logged: the closing lines say so.

    Args:
        clock: ``time.monotonic``, or another in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._faults: dict[str, _Fault] = {}

    def update(self, statuses: Iterable[Status], logged_elsewhere: str = "") -> None:
        """Compares the statuses of now with those before.

        Args:
            statuses: of all sources.
            logged_elsewhere: a warning to leave out.
        """
        for status in statuses:
            text = "" if status.state == "failed" else status.message
            if text == logged_elsewhere:
                text = ""
            kind = _NUMBERS.sub("#", text)
            before = self._faults.get(status.source)
            if before and before.kind != kind:
                del self._faults[status.source]
                self._line(
                    before.kind + " over",
                    "%s: over after %.0f s: %s",
                    status.source,
                    self._clock() - before.since,
                    before.text,
                )
            if text and not (before and before.kind == kind):
                self._faults[status.source] = _Fault(kind, text, self._clock())
                self._line(kind, "%s: %s", status.source, text)

    @staticmethod
    def _line(kind: str, form: str, *values: object) -> None:
        log.warning(form, *values, extra={"kind": kind})
