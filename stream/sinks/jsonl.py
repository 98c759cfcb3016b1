"""The sink that writes JSON lines: a file of them is readable alone."""

from __future__ import annotations

import sys
from pathlib import Path

from mmgat.stream.audio.sound_names import is_sound
from mmgat.stream.bus.protocol import Estimate, Event, Hello, Mark, Message, to_json
from mmgat.stream.errors import SettingsError
from mmgat.stream.sinks.base import Sink
from mmgat.stream.sinks.text import LineWriter


class JsonLines(Sink):
    """The hello, then estimates, events and marks, one JSON object a line, in UTF-8.

    Every line has its ``session``, so that several runs may be in one file.

    Args:
        path: lines are added to this file; ``-`` is standard output.
    """

    name = "jsonl"
    wants = (Hello, Estimate, Event, Mark)
    lossless = True

    def __init__(self, path: str) -> None:
        self.path = path
        self._writer: LineWriter | None = None

    def open(self) -> None:
        """Opens the file.

        Raises:
            SettingsError: it cannot be written, or standard output is closed.
        """
        if self.path == "-":
            self._writer = LineWriter.to_stream(sys.stdout, "utf-8")
            if self._writer is None:
                raise SettingsError(
                    "expected a standard output to write JSON lines to, found it closed: name a "
                    "file with --jsonl"
                )
            return
        try:
            if is_sound(Path(self.path)):
                raise SettingsError(
                    f"expected a file to write JSON lines to, found sound in {self.path!r}: name "
                    "another with --jsonl"
                )
            self._writer = LineWriter.to_file(Path(self.path))
        except OSError as error:
            raise SettingsError(
                f"expected a file to write JSON lines to, found {self.path!r} ({error.strerror}): "
                "name another with --jsonl"
            ) from None

    def handle(self, message: Message) -> None:
        """Writes a line."""
        assert self._writer is not None
        self._writer.write(to_json(message))

    def close(self) -> None:
        """Closes the file."""
        if self._writer is not None:
            self._writer.close()
