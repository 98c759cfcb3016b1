"""A state machine that decides whether a live source still gives audio, and when to reopen it.

    healthy --alarm_s without frames, or the source's own report--> alarmed
    alarmed --next poll--> recovering (or failed, with ``exit_on_loss``)
    recovering --escalate_s since the last frames--> escalated
    recovering, escalated --frames--> healthy

It opens nothing itself; ``reconnect.py`` acts on what it decides.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from mmgat.stream.settings import LivenessSettings


class LivenessState(StrEnum):
    """The states; the module's docstring draws how they follow each other."""

    HEALTHY = "healthy"
    ALARMED = "alarmed"
    RECOVERING = "recovering"
    ESCALATED = "escalated"
    FAILED = "failed"


class Liveness:
    """Decides for one source, from when it was opened.

    Args:
        settings: after which times it changes its state.
        clock: seconds, monotonic.

    Attributes:
        state: see the module.
        why: the last fault, in words; "" while healthy.
        reported: the fault is the source's own report, not only that no audio comes.
        outages: how often audio stopped coming.
    """

    def __init__(self, settings: LivenessSettings, clock: Callable[[], float]) -> None:
        self.state, self.why, self.outages = LivenessState.HEALTHY, "", 0
        self.reported = False
        self._settings, self._clock = settings, clock
        self._last_audio_at = clock()
        self._next_try = 0.0
        self._pause_s = settings.first_pause_s

    @property
    def no_audio_s(self) -> float:
        """Seconds since the last frames."""
        return self._clock() - self._last_audio_at

    def on_audio(self) -> None:
        """Notes that frames have come: the source is healthy."""
        self.state, self.why, self.reported = LivenessState.HEALTHY, "", False
        self._last_audio_at = self._clock()
        self._pause_s = self._settings.first_pause_s

    def on_lost(self, why: str) -> None:
        """Notes that the source itself reports its loss, with the fault in words."""
        self.why, self.reported = why, True
        if self.state is LivenessState.HEALTHY:
            self.state, self.outages = LivenessState.ALARMED, self.outages + 1

    def poll(self) -> bool:
        """Moves on with time; returns whether the source is to be opened now."""
        now, settings = self._clock(), self._settings
        if self.state is LivenessState.HEALTHY and self.no_audio_s >= settings.alarm_s:
            self.on_lost(f"no audio for {settings.alarm_s:g} s")
            self.reported = False
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
        """Notes that it opened; if no frames come within ``alarm_s``, it is opened again."""
        self._next_try = self._clock() + self._settings.alarm_s

    def on_open_failed(self, why: str) -> None:
        """Notes that it did not open; the pause before the next attempt doubles."""
        self.why, self.reported = why, True
        self._next_try = self._clock() + self._pause_s
        self._pause_s = min(2 * self._pause_s, self._settings.longest_pause_s)
