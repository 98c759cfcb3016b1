"""Runs a bridge: receives, passes on, tries an absent receiver again, and counts what was lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from mmgat.stream.bridges.base import Bridge, ReceiverAway, Signal, SourceLost
from mmgat.stream.bridges.sounding import Sounding
from mmgat.stream.bus.protocol import Message

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
WAIT_S: Final = 0.25
NOTICE_S: Final = 4.0


class Receiver(Protocol):
    """What gives messages: a ``Subscriber``."""

    address: str
    trouble: str

    def receive(self, timeout_s: float | None = None) -> Message | None:
        """The next message, or None when the time has passed without one."""


class Runner:
    """Carries what a subscriber receives to a bridge until it is told to end.

    Args:
        bridge: closed so far.
        subscriber: gives the messages.
        say: takes a line for the user.
        clock: ``time.monotonic``, or another in tests.

    Attributes:
        delivered: messages that the receiver was given.
        missed: messages that came while the receiver was away.
    """

    def __init__(
        self,
        bridge: Bridge,
        subscriber: Receiver,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.delivered = self.missed = 0
        self._bridge, self._subscriber, self._say, self._clock = bridge, subscriber, say, clock
        self._sounding = Sounding(clock)
        self._is_open = False
        self._away_since: float | None = None
        self._missed_before = 0
        self._told: set[type[Exception]] = set()
        self._pause_s = FIRST_PAUSE_S
        self._next_try = clock()

    @property
    def not_delivered(self) -> int:
        """Messages that came and that the receiver, or one of them, never got."""
        return self.missed + self._bridge.not_delivered

    @property
    def summary(self) -> str:
        """The counters in words."""
        return f"{self.delivered} messages delivered, {self.not_delivered} not delivered"

    def run(self, quit_: threading.Event, each_round: Callable[[], None] = lambda: None) -> None:
        """Works until the event is set, then ends what sounds and closes the bridge.

        Args:
            quit_: asks for the end.
            each_round: called several times a second.

        Raises:
            BridgeError: the bridge can never be opened with its settings.
        """
        notice_at: float | None = self._clock() + NOTICE_S
        try:
            while not quit_.is_set():
                self._open_if_due()
                message = self._subscriber.receive(WAIT_S)
                if message is not None:
                    notice_at = None
                elif notice_at is not None and self._clock() >= notice_at:
                    notice_at = None
                    if not self._subscriber.trouble:
                        self._say(
                            f"nothing from {self._subscriber.address} yet: waiting; does mmgat-stream "
                            "run there, and publish on that address?"
                        )
                self.step(message)
                each_round()
            self._pass_on(self._sounding.end_all(), None)
        finally:
            self._bridge.close()

    def step(self, message: Message | None) -> None:
        """Passes on what follows from a message, or from having none."""
        signals = self._sounding.tick() if message is None else self._sounding.update(message)
        for signal in signals:
            if isinstance(signal, SourceLost):
                self._say(f"nothing from source {signal.source} any more: what it played has ended")
        if self._bridge.history:
            lost: list[Signal] = [s for s in signals if isinstance(s, SourceLost)]
            signals = lost if message is None else [message, *lost]
        self._pass_on(signals, message)

    def _pass_on(self, signals: list[Signal], message: Message | None) -> None:
        if not self._is_open:
            self.missed += message is not None
            return
        whole = True
        try:
            for signal in signals:
                whole &= self._sent(signal)
        except ReceiverAway as away:
            self._tell_away(away)
            whole = False
        if message is not None:
            self.delivered += whole
            self.missed += not whole

    def _sent(self, signal: Signal) -> bool:
        """Sends a signal; a fault of a library on one of them loses that one."""
        try:
            self._bridge.send(signal)
        except ReceiverAway:
            raise
        except Exception as error:
            if type(error) not in self._told:
                self._told.add(type(error))
                self._say(f"a message was not delivered, {type(error).__name__}: {error}")
            return False
        return True

    def _open_if_due(self) -> None:
        now = self._clock()
        if self._is_open or now < self._next_try:
            return
        try:
            self._bridge.open()
            self._is_open = True
            for signal in self._sounding.snapshot():
                self._sent(signal)
        except ReceiverAway as away:
            self._tell_away(away)
            return
        self._pause_s = FIRST_PAUSE_S
        if self._away_since is not None:
            self._say(
                f"{self._bridge.receiver} is back after {now - self._away_since:.0f} s; "
                f"{self.missed - self._missed_before} messages were not delivered meanwhile"
            )
            self._away_since = None

    def _tell_away(self, away: ReceiverAway) -> None:
        """Says so once, and plans the next attempt; each pause doubles."""
        self._is_open = False
        self._bridge.close()
        now = self._clock()
        if self._away_since is None:
            self._away_since, self._missed_before = now, self.missed
            self._say(
                f"{away}: trying again after {self._pause_s:g} s, then ever more rarely, up to every "
                f"{LONGEST_PAUSE_S:.0f} s"
            )
        self._next_try = now + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
