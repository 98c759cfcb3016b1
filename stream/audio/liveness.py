"""Whether a live source still gives audio, and when to open it anew: a state machine and a clock.

    healthy --alarm_s without frames, or the source's own report--> alarmed
    alarmed --next look--> recovering (or failed, if nobody wants a recovery)
    recovering --escalate_s since the last frames--> escalated
    recovering, escalated --frames--> healthy

It opens nothing itself and knows no audio; ``reconnect.py`` acts on what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from mmgat.stream.settings import LivenessSettings


class LivenessState(StrEnum):
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
        self.state, self.why, self.outages = LivenessState.HEALTHY, "", 0
        self._settings, self._clock = settings, clock
        self._heard_at = clock()
        self._next_try = 0.0
        self._pause_s = settings.first_pause_s

    @property
    def no_audio_s(self) -> float:
        """Seconds since the last frames."""
        return self._clock() - self._heard_at

    def on_audio(self) -> None:
        """Frames came."""
        self.state, self.why = LivenessState.HEALTHY, ""
        self._heard_at = self._clock()
        self._pause_s = self._settings.first_pause_s

    def on_lost(self, why: str) -> None:
        """The source said itself that it is gone."""
        self.why = why
        if self.state is LivenessState.HEALTHY:
            self.state, self.outages = LivenessState.ALARMED, self.outages + 1

    def poll(self) -> bool:
        """Moves on with time; True when the source is to be opened now."""
        now, settings = self._clock(), self._settings
        if self.state is LivenessState.HEALTHY and self.no_audio_s >= settings.alarm_s:
            self.on_lost(f"no audio for {settings.alarm_s:g} s")
            return False
        if self.state is LivenessState.ALARMED:
            self.state = LivenessState.FAILED if settings.exit_on_loss else LivenessState.RECOVERING
            self._next_try = now
        if self.state is LivenessState.RECOVERING and self.no_audio_s >= settings.escalate_s:
            self.state = LivenessState.ESCALATED
        return (
            self.state in (LivenessState.RECOVERING, LivenessState.ESCALATED)
            and now >= self._next_try
        )

    def on_opened(self) -> None:
        """It opened; frames are awaited for as long as an alarm takes."""
        self._next_try = self._clock() + self._settings.alarm_s

    def on_open_failed(self, why: str) -> None:
        """It did not open; the pause before the next attempt doubles."""
        self.why = why
        self._next_try = self._clock() + self._pause_s
        self._pause_s = min(2 * self._pause_s, self._settings.longest_pause_s)
