"""Words to a supervisor such as systemd: ready, alive, stopping; nothing where there is none.

The protocol is a datagram to the socket named in ``NOTIFY_SOCKET`` (sd_notify(3)); ``WATCHDOG_USEC``
says how often a sign of life is wanted. ``tools/examples/mmgat-stream.service`` is a unit for it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping


class SystemdNotifier:
    """The supervisor of this process, if there is one.

    Args:
        environment: where it says how to reach it.
        clock: ``time.monotonic``, or another in tests.
    """

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        wanted_us = environment.get("WATCHDOG_USEC", "")
        self._period_s = int(wanted_us) / 3e6 if wanted_us.isdigit() else None
        self._clock = clock
        self._next = clock()

    def ready(self, what: str) -> None:
        """Everything is open; ``what`` is shown as its state."""
        self._say(f"READY=1\nSTATUS={what}")

    def watchdog(self) -> None:
        """A sign of life, sent on as often as it is wanted."""
        if self._period_s is not None and self._clock() >= self._next:
            self._next = self._clock() + self._period_s
            self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """The end is near and intended."""
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if self._address:
            with (
                contextlib.suppress(OSError),
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out,
            ):
                out.sendto(text.encode(), self._address)
