"""The sink that prints events for a person to read."""

from __future__ import annotations

import sys

from mmgat.stream.bus.protocol import Event, Message
from mmgat.stream.sinks.base import Sink
from mmgat.stream.sinks.text import LineWriter, printable


class EventPrinter(Sink):
    """Prints instruments that begin and end to standard output, in words.

    Args:
        with_source: begin each line with the name of its source.
    """

    name = "console"
    wants = (Event,)
    lossless = True

    def __init__(self, with_source: bool = False) -> None:
        self._with_source = with_source
        self._writer: LineWriter | None = None

    def open(self) -> None:
        """Finds standard output; where it is closed, nothing is printed."""
        self._writer = LineWriter.to_stream(sys.stdout)

    def handle(self, message: Message) -> None:
        """Prints an event."""
        if isinstance(message, Event) and self._writer is not None:
            self._writer.write(printable(event_line(message, self._with_source)))


def event_line(event: Event, with_source: bool = False) -> str:
    """An event as a line: when, what, and since when."""
    source = f"{event.source}  " if with_source else ""
    since = f"  (since {clock(event.onset_s)})" if event.event == "off" else ""
    return f"{source}{clock(event.time_s)}  {event.label:18s}{event.event:3s}{since}".rstrip()


def clock(seconds: float) -> str:
    """Seconds as m:ss.s."""
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"
