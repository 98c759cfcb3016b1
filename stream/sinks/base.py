"""What a sink is: something that takes results, and may fail or be slow without harm."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from mmgat.stream.audio.source import Block
from mmgat.stream.bus.protocol import Estimate, Event, Message


class Sink(ABC):
    """Takes messages on a thread of its own, in order, through a queue of bounded length.

    Whatever a sink raises, it costs the message and a warning; recognition goes on.

    Example::

        >>> class PianoLamp(Sink):
        ...     wants = (Event,)
        ...
        ...     def handle(self, message):
        ...         if message.label == "piano":
        ...             print("lamp", message.event)

    Attributes:
        name: as in warnings and in ``Status.sinks_dropped``.
        wants: the types of message that it is given.
        lossless: sources that can wait (files at full speed, pipes) wait for this sink when its
            queue is full; from live sources messages are dropped, estimates before events.
        shutdown_timeout_s: for so long the end of a run waits for it, after a signal.
        wants_audio: it is also given the blocks that are analysed, see ``handle_audio``.
    """

    name: str = ""
    wants: ClassVar[tuple[type[Message], ...]] = (Estimate, Event)
    lossless: ClassVar[bool] = False
    shutdown_timeout_s: ClassVar[float] = 0.3
    wants_audio: ClassVar[bool] = False

    def open(self) -> None:  # noqa: B027  (nothing to open is common)
        """Opens what is written to, before anything is captured.

        Raises:
            SettingsError: it cannot be opened; the program does not start.
        """

    @abstractmethod
    def handle(self, message: Message) -> None:
        """Takes one message.

        Raises:
            BrokenPipeError: nobody reads any more: the sink is given nothing else.
            Exception: anything else: this message is lost, the next one is tried.
        """

    def handle_audio(self, stream: str, rate_hz: int, live: bool, block: Block) -> None:  # noqa: B027
        """Takes one block of a stream, in order with the messages."""

    def close(self) -> None:  # noqa: B027  (nothing to close is common)
        """Writes what is still held and closes; called once, on the sink's thread."""
