"""A recorded session as a feed: JSON lines of ``--jsonl``, ``mmgat-listen`` or a recording's log."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from mmgat.stream.bus.protocol import PREFIX, Estimate, Event, Message, from_frames
from mmgat.stream.dashboard.state.view import OVER
from mmgat.stream.errors import ProtocolError, StreamError

SPEEDS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, float("inf"))
"""What the keys go through."""

MAX_PAUSE_S: Final = 5.0
"""The longest silence of a session that is waited for, in its own seconds."""


@dataclass
class NoLosses:
    """A file loses nothing on the way."""

    lost: int = 0


class Replay:
    """The messages of a file, as fast as they came, or ``speed`` times as fast.

    Args:
        path: of JSON lines; what is no message of this protocol is counted and skipped.
        speed: 1 as it was; infinity for all at once.
        clock: monotonic seconds.

    Attributes:
        address: the file's name.
        losses, damaged, trouble: as a subscriber has them.
        over: the last message has come.
        speed: see above.
        paused: no message comes.

    Raises:
        StreamError: the file cannot be read, or has no message.
    """

    def __init__(
        self, path: Path, speed: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.address, self.losses, self.damaged = path.name, NoLosses(), 0
        self.speed, self.over, self.trouble = speed, False, ""
        self._paused_at: float | None = None
        self._changed = asyncio.Event()
        self._path, self._clock = path, clock
        if next(self._messages(), None) is None:
            raise StreamError(
                f"expected JSON lines of a session, found none in {str(path)!r}: "
                "mmgat-stream --jsonl and mmgat-listen write them"
            )
        self.damaged = 0
        self._rest = self._messages()
        self._told_s: float | None = None
        self._at_s: float | None = None
        self._heard: dict[tuple[str, str], tuple[float, float]] = {}
        self._due = 0.0

    async def receive(self) -> Message:
        """The next message when its time has come; after the last one nothing ever comes."""
        message = next(self._rest, None)
        if message is None:
            self.over = True
            await asyncio.Event().wait()
            raise AssertionError("nothing sets that event")
        await self._wait(message)
        return message

    @property
    def paused(self) -> bool:
        """Whether it was paused."""
        return self._paused_at is not None

    @property
    def pace(self) -> str:
        """How fast it is, in words."""
        if self.over:
            return OVER
        if self.paused:
            return "paused"
        return "at full speed" if self.speed == float("inf") else f"{self.speed:g} x"

    def change_speed(self, steps: int) -> None:
        """Takes the next speed of ``SPEEDS``, or the one before; what it waits for comes the sooner."""
        others = [s for s in SPEEDS if (s > self.speed if steps > 0 else s < self.speed)]
        if others:
            speed = others[0] if steps > 0 else others[-1]
            now = self._clock()
            if (rest_s := self._due - now) > 0:
                self._due = now + rest_s * self.speed / speed
            self.speed = speed
            self._changed.set()

    def pause(self) -> None:
        """Pauses, or goes on."""
        if self._paused_at is None:
            self._paused_at = self._clock()
        else:
            self._due += self._clock() - self._paused_at
            self._paused_at = None
        self._changed.set()

    def subscribe(self, topic: str) -> None:
        """Changes nothing: a file has what it has."""

    async def _wait(self, message: Message) -> None:
        before_s, self._at_s = self._at_s, self._place(message)
        if before_s is None:
            self._due = self._clock()
            return
        pause_s = min(MAX_PAUSE_S, max(0.0, self._at_s - before_s)) / self.speed
        self._due = max(self._due + pause_s, self._clock() - 1.0)
        while self.paused or self._due > self._clock():
            self._changed.clear()
            rest_s = None if self.paused else self._due - self._clock()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), rest_s)

    def _place(self, message: Message) -> float:
        """When a message comes in the session, in seconds.

        As far behind the one before as it was published; or, where a file was recognised faster
        than it plays, as far behind the first of its source as its sound lies.
        """
        at_s = self._at_s or 0.0
        if message.time:
            at_s += max(0.0, message.time - (self._told_s or message.time))
            self._told_s = max(self._told_s or 0.0, message.time)
        stream_s = _stream_s(message)
        if stream_s is not None:
            run = message.session, getattr(message, "source", "")
            first_s, then_s = self._heard.setdefault(run, (stream_s, at_s))
            at_s = max(at_s, then_s + stream_s - first_s)
        return at_s

    def _messages(self) -> Iterator[Message]:
        try:
            with self._path.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if not line.strip():
                        continue
                    try:
                        message = message_of(line)
                    except ProtocolError:
                        self.damaged += 1
                        continue
                    if message is not None:
                        yield message
        except OSError as error:
            raise StreamError(
                f"expected a file of JSON lines, found {str(self._path)!r}: {error.strerror}"
            ) from None


def message_of(line: str) -> Message | None:
    """The message in a line of JSON; None for a kind that is not drawn.

    Raises:
        ProtocolError: it is none.
    """
    try:
        fields = json.loads(line)
        kind = str(fields.pop("type"))
        # Through the wire's decoder, so that numbers have their ranges and texts are printable.
        return from_frames([f"{PREFIX}{kind}/".encode(), msgspec.msgpack.encode(fields)])
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ProtocolError(f"expected a message as JSON, found {error}") from None


def _stream_s(message: Message) -> float | None:
    match message:
        case Estimate():
            return message.t1
        case Event():
            return message.time_s
    return None
