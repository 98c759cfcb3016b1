"""Where the dashboard's messages come from."""

from __future__ import annotations

from typing import Protocol

from mmgat.stream.bus.messages import Message


class Losses(Protocol):
    """What a feed counts."""

    @property
    def lost(self) -> int:
        """Messages that were published and did not arrive."""


class Feed(Protocol):
    """A subscriber, or a recorded session."""

    @property
    def address(self) -> str:
        """What is listened to."""

    @property
    def losses(self) -> Losses:
        """What is missing."""

    @property
    def trouble(self) -> str:
        """Why nothing comes, in words, where that is known."""

    @property
    def damaged(self) -> int:
        """What was no message of this protocol."""

    async def receive(self) -> Message:
        """The next message."""

    def subscribe(self, topic: str) -> None:
        """Asks for other topics, too."""


class Standstill:
    """A clock that a recorded session stops: while it is paused, or over, nothing is late."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._stood_s = 0.0

    def __call__(self, now: float, still: bool) -> float:
        """The seconds that have passed while nothing stood still."""
        if self._since is not None and not still:
            self._stood_s += now - self._since
            self._since = None
        elif self._since is None and still:
            self._since = now
        return (now if self._since is None else self._since) - self._stood_s
