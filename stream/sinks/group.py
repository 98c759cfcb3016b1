"""All outputs of a run: sinks on threads of their own, and plain functions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from mmgat.stream.audio.source import Block
from mmgat.stream.bus.protocol import Estimate, Event, Graph, Mark, Message
from mmgat.stream.bus.stamp import Stamp
from mmgat.stream.errors import SettingsError
from mmgat.stream.sinks.base import Sink
from mmgat.stream.sinks.runner import MAX_MESSAGES, SinkRunner

POLL_S: Final = 0.05

Handler = Callable[[Message], None]
"""Takes estimates, events and marks on the analysis thread: it may neither wait nor fail. One with
a true attribute ``wants_graph``, such as a publisher, takes graphs too."""


class SinkGroup:
    """Hands every message to all outputs.

    Args:
        outputs: sinks, each of which gets a queue and a thread; or handlers, called directly.
        max_messages: that may wait for one sink.

    Attributes:
        session: identifies the run in every message.
    """

    def __init__(
        self, outputs: Sequence[Sink | Handler] = (), max_messages: int = MAX_MESSAGES
    ) -> None:
        self.runners: list[SinkRunner] = []
        self._handlers: list[Handler] = []
        self._max_messages = max_messages
        self._stamp = Stamp()
        self.session = self._stamp.session
        self._n_open = 0
        self._released = self._closed = False
        for output in outputs:
            self.add(output)

    def add(self, output: Sink | Handler, *, ends_run: bool = False) -> None:
        """Adds an output; a sink is opened by the next ``open``.

        Args:
            output: a sink or a handler.
            ends_run: without the sink's reader the run is to end, so that is no fault.
        """
        if isinstance(output, Sink):
            output.name = _unused(output.name or type(output).__name__, self.runners)
            self.runners.append(SinkRunner(output, self._max_messages, ends_run=ends_run))
        else:
            self._handlers.append(output)

    @property
    def wants_graph(self) -> bool:
        """Whether an output takes graphs now."""
        return any(Graph in runner.sink.wants for runner in self.runners) or any(
            map(_wants_graph, self._handlers)
        )

    @property
    def dropped(self) -> dict[str, int]:
        """Sink's name -> messages that it did not take, where there are any."""
        return {r.sink.name: r.dropped for r in self.runners if r.dropped}

    @property
    def dropped_s(self) -> dict[str, float]:
        """Sink's name -> seconds of sound that it did not take, where there are any."""
        return {r.sink.name: r.dropped_s for r in self.runners if r.dropped_s}

    @property
    def warning(self) -> str:
        """What is wrong with the sinks now, or ""."""
        return "; ".join(runner.warning for runner in self.runners if runner.warning)

    def runner_of(self, sink: Sink) -> SinkRunner:
        """The runner of a sink of this group."""
        return next(runner for runner in self.runners if runner.sink is sink)

    def open(self) -> None:
        """Opens the sinks that are not open yet.

        Raises:
            SettingsError: one of them cannot be opened.
        """
        while self._n_open < len(self.runners):
            runner = self.runners[self._n_open]
            try:
                runner.open()
            except SettingsError:
                raise
            except Exception as error:  # whatever a sink of another package raises
                raise SettingsError(
                    f"expected output {runner.sink.name} to open, found "
                    f"{type(error).__name__}: {error}"
                ) from error
            self._n_open += 1

    def put(self, message: Message, wait: bool = False) -> None:
        """Hands a message to every output.

        Args:
            message: sinks get it if they want its type.
            wait: until a lossless sink has room.
        """
        message = self._stamp(message)
        for runner in self.runners:
            runner.put(message, wait)
        if isinstance(message, Estimate | Event | Mark | Graph):
            for handler in self._handlers:
                if not isinstance(message, Graph) or _wants_graph(handler):
                    handler(message)

    def put_audio(self, stream: str, rate_hz: int, live: bool, block: Block, wait: bool) -> None:
        """Hands a block to every sink that wants audio; see ``put``."""
        for runner in self.runners:
            runner.put_audio(stream, rate_hz, live, block, wait)

    def release(self) -> None:
        """The end is near: nobody waits for a sink any longer."""
        self._released = True
        for runner in self.runners:
            runner.release()

    def close(self) -> None:
        """Delivers what waits and closes the sinks; callable more than once.

        Waits for them as long as they take, after ``release`` only as long as each may need.
        """
        if self._closed:
            return
        self._closed = True
        for runner in self.runners[: self._n_open]:
            runner.close()
        for runner in self.runners[: self._n_open]:
            until = time.monotonic() + POLL_S
            while not runner.join(until) and not self._released:
                until = time.monotonic() + POLL_S
        released_at = time.monotonic()
        for runner in self.runners[: self._n_open]:
            runner.join(released_at + runner.sink.shutdown_timeout_s)


def _wants_graph(handler: Handler) -> bool:
    return bool(getattr(handler, "wants_graph", False))


def _unused(name: str, runners: Sequence[SinkRunner]) -> str:
    taken = {runner.sink.name for runner in runners}
    numbered = (f"{name} ({number})" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(x for x in numbered if x not in taken)
