"""A publisher, bridges and receivers as processes, for the tests of this folder."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO, Self

import msgspec

from mmgat.stream.bus.protocol import Status
from mmgat.stream.bus.publisher import Publisher
from tests.stream.bus.messages import ESTIMATE, HELLO, STATUS

PATIENCE_S = 60.0
"""After so long without what it waits for, a test fails."""


class Lines:
    """The lines of a pipe, as they come."""

    def __init__(self, pipe: IO[str]) -> None:
        self.seen: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, args=(pipe,), daemon=True).start()

    def until(self, wanted: str | Callable[[str], bool], patience_s: float = PATIENCE_S) -> str:
        """The next line that has a text in it, or that a function accepts."""
        accepts = (lambda line: wanted in line) if isinstance(wanted, str) else wanted
        until = time.monotonic() + patience_s
        while True:
            try:
                line = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                line = None
            assert line is not None, f"expected {wanted!r}, found {self.seen[-30:]}"
            self.seen.append(line)
            if accepts(line):
                return line

    def _read(self, pipe: IO[str]) -> None:
        for line in pipe:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)


class Process:
    """A child whose output is read.

    Args:
        group: it has children of its own, which end with it.
    """

    def __init__(
        self, *command: object, environment: dict[str, str] | None = None, group: bool = False
    ) -> None:
        self._group = group
        self.popen = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | (environment or {}),
            start_new_session=group,
        )
        assert self.popen.stdout is not None
        assert self.popen.stderr is not None
        self.out, self.err = Lines(self.popen.stdout), Lines(self.popen.stderr)

    def terminate(self) -> int:
        """Ends it as a supervisor does; its exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._group:
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.kill()
        self.popen.wait()


def bridge(name: str, address: str, *arguments: object, **environment: str) -> Process:
    """``mmgat-bridge NAME`` as a process."""
    return Process(
        sys.executable, "-m", "mmgat.stream.commands.bridge", name, "--connect", address, *arguments,
        environment=environment,
    )  # fmt: skip


@contextlib.contextmanager
def publishing(*sources: str) -> Iterator[Publisher]:
    """A publisher that has said who it is, with a status of each source once a second."""
    statuses: list[Status] = [msgspec.structs.replace(STATUS, source=name) for name in sources]
    publisher = Publisher("tcp://127.0.0.1:*", lambda: statuses)
    try:
        publisher(HELLO)
        for name in sources:
            publisher(msgspec.structs.replace(ESTIMATE, source=name, active=[]))
        yield publisher
    finally:
        publisher.close()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that nobody has at the moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
