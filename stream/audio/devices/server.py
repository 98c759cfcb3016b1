"""Keeps a recording at its source, where PulseAudio or PipeWire stands behind a device.

PortAudio's devices ``pulse``, ``pipewire`` and ``default`` are doors to a server. It moves a recording
when its source goes away, when the default changes, or when somebody drags it in a mixer: what comes
then is another microphone, without a word.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from typing import Any, Final

from mmgat.stream.errors import DeviceError

LOOK_S: Final = 0.5
"""The place of a recording is looked at so often (seconds)."""

CLOSE_TIMEOUT_S: Final = 2.0

log = logging.getLogger(__name__)


class ServerRecording:
    """The recording of one device at the server; of a device without a server, nothing.

    The first source that the server gives is kept: a recording that is opened anew elsewhere is
    moved back, and is refused while its source is away.

    Attributes:
        source: the server's name of that source; "" before, and where there is no server.
        fault: the server has moved the recording, in words; "" while it is where it belongs.
    """

    def __init__(self) -> None:
        self.source = ""
        self.fault = ""
        self._stop: threading.Event | None = None
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def opening(self) -> Iterator[None]:
        """Finds the recording that the code within opens; one at a time, the caller sees to it.

        Raises:
            DeviceError: the server gives another source than before, which is away.
        """
        self.close()
        before = set(_recordings())
        yield
        with _server() as server:
            if server is None:
                return
            for number, at in _recordings_at(server).items():
                if number not in before:
                    self._keep(server, number, at)

    def close(self) -> None:
        """Stops looking; the source is remembered."""
        if self._stop and self._thread:
            self._stop.set()
            self._thread.join(CLOSE_TIMEOUT_S)
        self._stop = self._thread = None
        self.fault = ""

    def _keep(self, server: Any, number: int, at: int) -> None:
        sources = {source.index: source.name for source in server.source_list()}
        given = sources.get(at, "")
        self.source = self.source or given
        if given != self.source:
            wanted = [index for index, name in sources.items() if name == self.source]
            if not wanted:
                raise DeviceError(
                    f"expected the source {self.source!r}, found {given!r} in its place: is it "
                    "still connected?"
                )
            server.source_output_move(number, wanted[0])
            log.warning("the audio server gave %s: moved back to %s", given, self.source)
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, args=[number, self._stop], name="audio server", daemon=True
        )
        self._thread.start()

    def _watch(self, number: int, stop: threading.Event) -> None:
        with _server() as server:
            while server and not stop.wait(LOOK_S):
                at = _recordings_at(server).get(number)
                if at is None:  # it has ended, as PortAudio will say
                    return
                given = server.source_info(at).name
                if given != self.source:
                    self.fault = f"the audio server moved it from {self.source!r} to {given!r}"
                    return


@contextlib.contextmanager
def _server() -> Iterator[Any]:
    """A connection to the server, None where there is none. It waits for one that hangs.

    ``connect`` has a time-out, but takes it whole even if the server answers at once.
    """
    try:
        import pulsectl
    except (ImportError, OSError):  # there is no libpulse
        yield None
        return
    with (
        contextlib.suppress(pulsectl.PulseError),  # it is gone meanwhile
        pulsectl.Pulse("mmgat-stream", connect=False) as server,
    ):
        try:
            server.connect()
        except pulsectl.PulseError:
            server = None
        yield server


def server_sources() -> list[tuple[str, str]]:
    """Name and description of every source of the server; none where there is no server.

    It waits for a server that hangs; see ``with_deadline``.
    """
    found: list[tuple[str, str]] = []
    with _server() as server:
        if server is not None:
            found = [(source.name, source.description) for source in server.source_list()]
    return found


def _recordings() -> dict[int, int]:
    found: dict[int, int] = {}
    with _server() as server:
        if server:
            found = _recordings_at(server)
    return found


def _recordings_at(server: Any) -> dict[int, int]:
    """The numbers of this process's recordings, each with the number of its source."""
    process = str(os.getpid())
    return {
        output.index: output.source
        for output in server.source_output_list()
        if output.proplist.get("application.process.id") == process
    }
