"""Notifies a supervisor such as systemd of the start, of life, and of the end, if there is one.

A notification is a datagram to the socket named in ``NOTIFY_SOCKET`` (sd_notify(3)); ``WATCHDOG_USEC``
says how often a watchdog notification is expected. ``tools/service/mmgat-stream.service`` is a unit
that expects them.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping


class SystemdNotifier:
    """Sends notifications to the supervisor of this process; without one it sends nothing.

    Args:
        environment: variables in which the supervisor says how to reach it.
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
        """Notifies that everything is open; ``systemctl status`` shows ``what``."""
        self._send(f"READY=1\nSTATUS={what}")

    def watchdog(self, what: str = "") -> None:
        """Notifies that the process is alive, three times in the period that is expected.

        Args:
            what: ``systemctl status`` shows it from then on.
        """
        if self._period_s is not None and self._clock() >= self._next:
            self._next = self._clock() + self._period_s
            self._send("WATCHDOG=1" + (f"\nSTATUS={what}" if what else ""))

    def stopping(self) -> None:
        """Notifies that the process ends on purpose."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if self._address:
            with (
                contextlib.suppress(OSError),
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out,
            ):
                out.sendto(text.encode(), self._address)
