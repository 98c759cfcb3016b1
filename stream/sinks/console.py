"""Sinks that write text: JSON lines, and events in words."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import TextIO

from mmgat.stream.bus.protocol import Event, Message, to_json
from mmgat.stream.errors import SettingsError


class JsonLines:
    """One JSON object a line, added to a file or written to standard output for ``-``.

    Raises:
        SettingsError: the file cannot be written.
    """

    def __init__(self, path: str) -> None:
        self._file: TextIO
        if path == "-":
            self._file = sys.stdout
        else:
            try:
                self._file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115  (closed by close)
            except OSError as error:
                raise SettingsError(
                    f"expected a file to write JSON lines to, found {path!r} ({error.strerror})"
                ) from None

    def __call__(self, message: Message) -> None:
        print(to_json(message), file=self._file, flush=True)

    def close(self) -> None:
        """Closes a file; standard output stays open."""
        if self._file is not sys.stdout:
            self._file.close()


class EventPrinter:
    """Instruments that begin and end, for a person to read.

    Args:
        named: say of which source.
    """

    def __init__(self, named: bool = False) -> None:
        self._named = named

    def __call__(self, message: Message) -> None:
        if isinstance(message, Event):
            since = f"  (since {clock(message.onset_s)})" if message.event == "off" else ""
            where = f"{message.source}  " if self._named else ""
            told = f"{where}{clock(message.time_s)}  {message.label:18s}{message.event:3s}{since}"
            print(told, flush=True)


class Summary:
    """How long each instrument sounded, for the closing line."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, defaultdict[str, float]] = defaultdict(
            lambda: defaultdict(float)
        )

    def __call__(self, message: Message) -> None:
        if isinstance(message, Event) and message.event == "off":
            self._seconds[message.source][message.label] += message.time_s - message.onset_s

    def of(self, source: str) -> str:
        """What sounded in a source, the longest first."""
        rows = sorted(self._seconds[source].items(), key=lambda row: -row[1])
        return ", ".join(f"{label} {s:.1f} s" for label, s in rows) or "no instrument"


def clock(seconds: float) -> str:
    """Seconds as m:ss.s."""
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"
