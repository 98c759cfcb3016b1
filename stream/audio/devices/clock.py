"""A device's frames against the system's clock: how fast it runs, and what it has lost."""

from __future__ import annotations

from typing import Final

DRIFT_AFTER_S: Final = 300.0

LOST_S: Final = 0.25
"""Less missing time than this (seconds) may be frames that come late."""

SETTLE_S: Final = 1.0
"""After a pause, frames that were only late have come within this time (seconds)."""


class ClockDrift:
    """Compares a device's clock with the system's, by how many frames came in how much time.

    Frames come in lumps, so the first and the last lump are compared and nothing is said until
    their size matters little.

    Args:
        sample_rate_hz: what the device claims.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate = sample_rate_hz
        self._first: tuple[float, int] | None = None

    def update(self, now: float, frames: int) -> float | None:
        """Returns by how many millionths it is fast; None within the first five minutes.

        Args:
            now: seconds, monotonic.
            frames: since the device was opened.
        """
        if self._first is None:
            self._first = now, frames
        elapsed_s = now - self._first[0]
        if elapsed_s < DRIFT_AFTER_S:
            return None
        return 1e6 * ((frames - self._first[1]) / self._rate / elapsed_s - 1)


class LostTime:
    """Finds time in which a device gave no frames although it did not report an overflow.

    A program that was stopped, or an audio server that dropped what nobody took, leaves no trace in
    the frames: they are only fewer than the clock says. Frames may also be late, in lumps, so the
    least deficit within a second counts; it is compared with that of the second before, so the
    drift of the clocks does not add up.

    Args:
        sample_rate_hz: of the device.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate = sample_rate_hz
        self._usual_s: float | None = None
        self._least_s = 0.0
        self._since = self._before = 0.0

    def update(self, now: float, frames: int) -> int:
        """Returns how many frames are found to be lost, to be counted in from now on.

        Args:
            now: seconds, monotonic.
            frames: since the device was opened, with those that were found to be lost.
        """
        deficit_s = now - frames / self._rate
        if now - self._before > SETTLE_S / 2:  # a pause: what comes now may be late
            self._since, self._least_s = now, deficit_s
        self._before = now
        self._least_s = min(self._least_s, deficit_s)
        if now - self._since < SETTLE_S:
            return 0
        usual_s, least_s = self._usual_s, self._least_s
        self._since, self._least_s, self._usual_s = now, deficit_s, least_s
        if usual_s is None or least_s - usual_s < LOST_S:
            return 0
        lost = round((least_s - usual_s) * self._rate)
        self._usual_s = usual_s
        self._least_s -= lost / self._rate
        return lost
