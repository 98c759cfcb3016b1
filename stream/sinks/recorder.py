"""Which sound is kept: that around the events, from a little before to a little after.

A clip of a stream begins before its first instrument does and ends after its last one has ended;
what is audible in between without a pause is one clip, at most ``longest_s`` long. Nothing else is
ever stored.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from mmgat.stream.audio.source import Block
from mmgat.stream.bus.protocol import Event, Hello, Message, Status
from mmgat.stream.settings import RecordSettings
from mmgat.stream.sinks.recording_folder import Clip, RecordingFolder

BEHIND_S: Final = 4.0
"""By how much an event may tell of the past: a window and a few hops."""

MOST_LABELS: Final = 6


class Recorder:
    """Hears every block and every message of all streams, in order, on the analysis thread.

    Args:
        folder: writes.
        settings: how much around the events.
        wall_clock: ``time.time``, or another in tests; names of live clips carry it.
        clock: that of ``Block.captured_at``.
    """

    def __init__(
        self,
        folder: RecordingFolder,
        settings: RecordSettings,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._settings = folder, settings
        self._wall_clock, self._clock = wall_clock, clock
        self._ears: dict[str, _Ear] = {}
        self._told: dict[str, object] = {}

    def hear(self, stream: str, rate_hz: int, live: bool, block: Block) -> None:
        """A block on its way to analysis."""
        ear = self._ears.get(stream)
        if ear is None:
            ear = self._ears[stream] = _Ear(stream, rate_hz, self._folder, self._settings)
        began_at = None
        if live:
            ago_s = self._clock() - block.captured_at + len(block.samples) / rate_hz
            began_at = self._wall_clock() - ago_s
        ear.hear(block, began_at)

    def __call__(self, message: Message) -> None:
        """What was recognised; estimates are too many to keep."""
        if isinstance(message, Event):
            self._ears[message.source].follow(message)
        if isinstance(message, Event | Hello):
            self._folder.log(message)

    def note(self, statuses: Iterable[Status]) -> None:
        """Puts those into the log that say something new."""
        for status in statuses:
            told = (
                status.state,
                status.liveness,
                status.outages,
                status.xruns,
                status.lost_share > 0,
            )
            if self._told.get(status.source) != told:
                self._told[status.source] = told
                self._folder.log(status)

    def close(self) -> None:
        """Ends the clips under way; callable more than once."""
        for ear in self._ears.values():
            ear.finish()
        self._folder.close()


@dataclass
class _Taken:
    """A clip under way; positions are samples of the stream."""

    clip: Clip
    start: int
    end: int
    labels: list[str]


class _Ear:
    """One stream: its last seconds, and the clip under way."""

    def __init__(
        self, stream: str, rate_hz: int, folder: RecordingFolder, settings: RecordSettings
    ) -> None:
        self._stream, self._rate, self._folder, self._settings = stream, rate_hz, folder, settings
        self._ring: deque[Block] = deque()
        self._kept = round((settings.before_s + BEHIND_S) * rate_hz)
        self._end = 0
        self._free_from = 0  # what lies before is in a clip already, or beyond a gap
        self._on: dict[str, str] = {}  # event id -> label
        self._until = 0
        self._taken: _Taken | None = None
        self._zero_at: float | None = None  # wall time of position 0, as far as it is known

    def hear(self, block: Block, began_at: float | None) -> None:
        """One more block; a jump in the positions ends the clip."""
        if block.position != self._end:
            self.finish()
            self._ring.clear()
            self._free_from = block.position
        if began_at is not None:
            self._zero_at = began_at - block.position / self._rate
        self._ring.append(block)
        self._end = block.end
        while self._ring[0].end <= self._end - self._kept:
            self._ring.popleft()
        if self._taken:
            self._write(block)
            over = not self._on and self._end >= self._until
            too_long = self._end - self._taken.start >= self._settings.longest_s * self._rate
            if over or too_long:
                self.finish()
                if not over:
                    self._begin(self._end, list(self._on.values()))

    def follow(self, event: Event) -> None:
        """An instrument begins or has ended."""
        if event.event == "off":
            self._on.pop(event.id, None)
            self._until = round((event.time_s + self._settings.after_s) * self._rate)
            return
        self._on[event.id] = event.label
        if self._taken is None:
            start = round((event.onset_s - self._settings.before_s) * self._rate)
            self._begin(max(start, self._ring[0].position, self._free_from), [event.label])
        elif event.label not in self._taken.labels:
            self._taken.labels.append(event.label)

    def finish(self) -> None:
        """Ends the clip under way, if there is one."""
        if (taken := self._taken) is None:
            return
        self._taken, self._free_from = None, taken.end
        self._folder.finish(
            taken.clip,
            taken.labels[:MOST_LABELS],
            {
                "source": self._stream,
                "t0": taken.start / self._rate,
                "t1": taken.end / self._rate,
                "labels": taken.labels,
            },
        )

    def _begin(self, start: int, labels: list[str]) -> None:
        channels = self._ring[-1].samples.shape[1]
        stem = f"{self._time_of(start)}_{self._stream}"
        self._taken = _Taken(self._folder.begin(self._rate, channels, stem), start, start, labels)
        for block in self._ring:
            self._write(block)

    def _write(self, block: Block) -> None:
        """What of the block lies behind the clip's end."""
        assert self._taken is not None
        new = block.samples[max(0, self._taken.end - block.position) :]
        if len(new):
            self._folder.write(self._taken.clip, new)
            self._taken.end = block.end

    def _time_of(self, position: int) -> str:
        """The time of day of live sound, in UTC; of a file, its own seconds."""
        seconds = position / self._rate
        if self._zero_at is None:
            return f"{seconds:010.3f}s"
        when = datetime.fromtimestamp(self._zero_at + seconds, UTC)
        return f"{when:%Y%m%dT%H%M%S}.{when.microsecond // 1000:03d}Z"
