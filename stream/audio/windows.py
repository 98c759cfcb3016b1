"""Overlapping windows, one every hop from a sound's onset, at positions counted in samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

FIRST_S: Final = 0.5
"""Less sound than this tells no instrument."""


@dataclass(frozen=True)
class Window:
    """The sound that one node of the graph is made of. The node stands for one second of it.

    Attributes:
        index: counts the windows of a stream.
        start: position in the stream of the second's first sample; negative where a second ends
            sooner than a second after the stream's begin.
        samples: float32, what the embedder hears: ``lead`` samples before the second, and the
            second as far as it is heard.
        rate_hz: of the samples and positions.
        lead: samples before the second.
        n_valid: samples of the second that are sound; behind them is zero padding, at an end.
        tick: its place in time: hops, rounded down, such that a sound's first window has a whole
            second's.
        continues: the samples follow on from those of the window before.
    """

    index: int
    start: int
    samples: npt.NDArray[np.float32]
    rate_hz: int
    lead: int
    n_valid: int
    tick: int = 0
    continues: bool = False

    @property
    def partial(self) -> bool:
        """The second has less sound than the embedder hears of it."""
        return self.n_valid < len(self.samples) - self.lead

    @property
    def end(self) -> int:
        """Behind the last sample: a second after the start, or where the sound ended before."""
        return self.start + (self.n_valid if self.partial else self.rate_hz)

    @property
    def start_s(self) -> float:
        """Seconds in the stream at which the second begins, or the stream."""
        return max(0, self.start) / self.rate_hz

    @property
    def end_s(self) -> float:
        """Seconds in the stream at which the second, or the sound in it, ends."""
        return self.end / self.rate_hz

    @property
    def heard_until_s(self) -> float:
        """Seconds in the stream behind the last sample that is needed for the window."""
        return (self.start + self.n_valid) / self.rate_hz

    @property
    def second(self) -> npt.NDArray[np.float32]:
        """float32 [n_valid], the sound of the second itself."""
        return self.samples[self.lead : self.lead + self.n_valid]


class WindowAssembler:
    """Cuts a stream of samples into overlapping windows.

    Windows follow each other every hop. Where a sound begins after a second of silence, or after
    nothing, they begin anew: the first one ends ``FIRST_S``, or a longer hop, after the onset. So
    what is heard does not depend on how long a recording waits before it begins, and a sound is
    heard as soon as it may be known (ours).

    A window is complete with the last sample that the embedder hears, so a window of 0.975 s is
    released 25 ms before its second ends, which pays for the resampler's look-ahead.

    Args:
        hop_samples: from one window's start to the next, a second or a whole part of it.
        window_samples: what the embedder hears. Up to a second, windows begin with their second;
            longer ones end with it.
        rate_hz: of the samples.
        silence: samples up to this magnitude are silence.
    """

    def __init__(
        self, hop_samples: int, window_samples: int, rate_hz: int, silence: float = 0.0
    ) -> None:
        self._hop, self._size, self._rate = hop_samples, window_samples, rate_hz
        self._silence = silence
        self._lead = max(0, window_samples - rate_hz)
        self._in_second = window_samples - self._lead  # so much of a second is heard
        self._index = 0
        self._onset_seen = False
        self._origin = self._first_tick = 0  # start and tick of the first window of a sound
        self.restart(0)

    def restart(self, position: int) -> None:
        """Continues at another position after a gap; what was held is forgotten."""
        lead = self._lead + self._rate  # so much may lie before the first sample
        self._kept = np.zeros(lead + 2 * self._size, np.float32)
        self._first, self._last = 0, lead  # of what is held, in what is kept
        self._held_start = position - lead
        self._start = position  # of the next window's second
        self._last_sound = position - self._rate - 1
        self._covered = position  # up to here samples have been in a window
        self._continues = False

    def push(self, samples: npt.NDArray[np.float32]) -> list[Window]:
        """The windows that these samples complete."""
        onsets = self._onsets(samples)
        self._keep(samples)
        windows = []
        for onset in onsets:
            windows += self._complete_at(onset)
            self._begin_anew(onset)
        windows += self._complete_at(self._held_end)
        first_needed = self._start - self._lead - self._rate  # where windows may begin anew
        passed = min(max(0, first_needed - self._held_start), self._last - self._first)
        self._first, self._held_start = self._first + passed, self._held_start + passed
        return windows

    def flush(self) -> list[Window]:
        """The last samples as a padded window, if no window has had them yet."""
        end = self._held_end
        windows = [self._next(end - self._start)] if end > self._covered else []
        self.restart(end)
        return windows

    @property
    def n_lacking(self) -> int:
        """Samples that the next window lacks."""
        return self._start + self._in_second - self._held_end

    @property
    def _held_end(self) -> int:
        return self._held_start + self._last - self._first

    def _onsets(self, samples: npt.NDArray[np.float32]) -> list[int]:
        """Positions in the stream at which a sound begins after a second of silence, or nothing."""
        sounds = np.abs(samples) > self._silence
        first = int(sounds.argmax()) if len(sounds) else 0
        if not len(sounds) or not sounds[first]:
            return []
        last = len(sounds) - 1 - int(sounds[::-1].argmax())
        held, before = self._held_end, self._last_sound
        self._last_sound = held + last
        if last - first <= self._rate:  # no second of silence lies between
            return [held + first] if held + first - before > self._rate else []
        places = held + np.flatnonzero(sounds)
        onsets: list[int] = places[np.diff(places, prepend=before) > self._rate].tolist()
        return onsets

    def _keep(self, samples: npt.NDArray[np.float32]) -> None:
        """Appends samples; what has passed makes room for them, so nearly all are copied once."""
        if self._last + len(samples) > len(self._kept):
            held = self._kept[self._first : self._last]
            if len(held) + len(samples) > len(self._kept):
                self._kept = np.empty(2 * (len(held) + len(samples)), np.float32)
            self._kept[: len(held)] = held
            self._first, self._last = 0, len(held)
        self._kept[self._last : self._last + len(samples)] = samples
        self._last += len(samples)

    def _tick(self, start: int) -> int:
        return self._first_tick + (start - self._origin) // self._hop

    def _begin_anew(self, onset: int) -> None:
        """The next window ends ``FIRST_S``, or a longer hop, after the onset."""
        start = onset + max(self._hop, round(FIRST_S * self._rate)) - self._rate
        if not self._onset_seen:
            a_second = self._rate // self._hop
            self._first_tick = -(-self._tick(self._start) // a_second) * a_second
            self._origin, self._onset_seen = start, True
        self._start = start

    def _complete_at(self, end: int) -> list[Window]:
        windows = []
        while self._start + self._in_second <= end:
            windows.append(self._next(self._in_second))
        return windows

    def _next(self, n_valid: int) -> Window:
        first = self._first + self._start - self._lead - self._held_start
        n_heard = self._lead + n_valid
        samples = np.empty(self._size, np.float32)
        samples[:n_heard] = self._kept[first : first + n_heard]
        samples[n_heard:] = 0.0
        window = Window(
            index=self._index,
            tick=self._tick(self._start),
            start=self._start,
            samples=samples,
            rate_hz=self._rate,
            lead=self._lead,
            n_valid=n_valid,
            continues=self._continues,
        )
        self._covered = window.end
        self._start += self._hop
        self._index += 1
        self._continues = True
        return window
