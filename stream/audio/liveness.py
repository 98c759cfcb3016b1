"""Whether a live source still gives audio, and when to open it anew: a state machine and a clock.

    healthy --alarm_s without frames, or the source's own report--> alarmed
    alarmed --next look--> recovering (or failed, if nobody wants a recovery)
    recovering --escalate_s since the last frames--> escalated
    recovering, escalated --frames--> healthy

It opens nothing itself and knows no audio; ``guard.py`` acts on what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from mmgat.stream.settings import LivenessSettings


class State(StrEnum):
    HEALTHY = "healthy"
    ALARMED = "alarmed"
    RECOVERING = "recovering"
    ESCALATED = "escalated"
    FAILED = "failed"


class Liveness:
    """The state of one source, from when it was opened.

    Args:
        settings: the times.
        clock: seconds, monotonic.

    Attributes:
        state: see the module.
        why: what was last reported, in words; "" while healthy.
        outages: how often audio was lost.
    """

    def __init__(self, settings: LivenessSettings, clock: Callable[[], float]) -> None:
        self.state, self.why, self.outages = State.HEALTHY, "", 0
        self._settings, self._clock = settings, clock
        self._heard_at = clock()
        self._next_try = 0.0
        self._pause_s = settings.first_pause_s

    @property
    def deaf_s(self) -> float:
        """Seconds since the last frames."""
        return self._clock() - self._heard_at

    def heard(self) -> None:
        """Frames came."""
        self.state, self.why = State.HEALTHY, ""
        self._heard_at = self._clock()
        self._pause_s = self._settings.first_pause_s

    def lost(self, why: str) -> None:
        """The source said itself that it is gone."""
        self.why = why
        if self.state is State.HEALTHY:
            self.state, self.outages = State.ALARMED, self.outages + 1

    def look(self) -> bool:
        """Moves on with time; True when the source is to be opened now."""
        now, settings = self._clock(), self._settings
        if self.state is State.HEALTHY and self.deaf_s >= settings.alarm_s:
            self.lost(f"no audio for {settings.alarm_s:g} s")
            return False
        if self.state is State.ALARMED:
            self.state = State.FAILED if settings.exit_on_loss else State.RECOVERING
            self._next_try = now
        if self.state is State.RECOVERING and self.deaf_s >= settings.escalate_s:
            self.state = State.ESCALATED
        return self.state in (State.RECOVERING, State.ESCALATED) and now >= self._next_try

    def opened(self) -> None:
        """It opened; frames are awaited for as long as an alarm takes."""
        self._next_try = self._clock() + self._settings.alarm_s

    def refused(self, why: str) -> None:
        """It did not open; the pause before the next attempt doubles."""
        self.why = why
        self._next_try = self._clock() + self._pause_s
        self._pause_s = min(2 * self._pause_s, self._settings.longest_pause_s)
