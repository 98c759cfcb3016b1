"""Chooses which sound is recorded: that around the events, from a little before to a little after.

A clip of a stream begins before its first instrument does and ends after its last one has ended;
instruments that follow each other without a pause are in one clip, at most ``longest_s`` long.
Nothing else is ever stored.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from mmgat.stream.audio.source import Block
from mmgat.stream.bus.protocol import Event, Hello, Mark, Message, Status
from mmgat.stream.settings import RecordSettings
from mmgat.stream.sinks.base import Sink
from mmgat.stream.sinks.recording_folder import Clip, RecordingFolder

EVENT_DELAY_S: Final = 4.0
"""An event comes at most this long (seconds) after its onset: a window and a few hops."""

MAX_LABELS_IN_NAME: Final = 6


class Recorder(Sink):
    """Takes every block and the events of all streams, in order.

    Args:
        folder: writes the clips and the session's log.
        settings: how much sound around the events.
        wall_clock: ``time.time``, or another in tests; names of live clips carry it.
        clock: that of ``Block.captured_at``, seconds.
    """

    name = "record"
    wants = (Event, Hello, Status, Mark)
    wants_audio = True
    lossless = True
    shutdown_timeout_s = 2.0

    def __init__(
        self,
        folder: RecordingFolder,
        settings: RecordSettings,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._settings = folder, settings
        self._wall_clock, self._clock = wall_clock, clock
        self._clips: dict[str, _ClipRecorder] = {}
        self._last_logged: dict[str, object] = {}

    def handle_audio(self, stream: str, rate_hz: int, live: bool, block: Block) -> None:
        """Takes a block on its way to analysis.

        Raises:
            OSError: the disk refuses some of it.
        """
        clips = self._clips.get(stream)
        if clips is None:
            clips = _ClipRecorder(stream, rate_hz, self._folder, self._settings)
            self._clips[stream] = clips
        began_at = None
        if live:
            ago_s = self._clock() - block.captured_at + len(block.samples) / rate_hz
            began_at = self._wall_clock() - ago_s
        clips.on_block(block, began_at)
        self._tell_refusal()

    def handle(self, message: Message) -> None:
        """Takes an event; it, the hello and each status that says something new are logged.

        Raises:
            OSError: the disk has refused some sound.
        """
        if isinstance(message, Status):
            if not self._is_new(message):
                return
        elif isinstance(message, Event):
            self._clips[message.source].on_event(message)
        self._folder.log(message)
        self._tell_refusal()

    def _tell_refusal(self) -> None:
        if refusal := self._folder.take_refusal():
            raise OSError(refusal)

    def _is_new(self, status: Status) -> bool:
        """Whether state, outages, overflows or losses have changed."""
        facts = (
            status.state,
            status.liveness,
            status.outages,
            status.xruns,
            status.lost_share > 0,
        )
        before, self._last_logged[status.source] = self._last_logged.get(status.source), facts
        return before != facts

    def close(self) -> None:
        """Finishes the open clips; callable more than once."""
        for clips in self._clips.values():
            clips.finish_clip()
        self._folder.close()


@dataclass
class _OpenClip:
    """A clip that is still being written; positions are frames of the stream."""

    clip: Clip
    start: int
    end: int
    labels: list[str]


class _ClipRecorder:
    """Cuts the clips of one stream: keeps its last seconds, and the open clip."""

    def __init__(
        self, stream: str, rate_hz: int, folder: RecordingFolder, settings: RecordSettings
    ) -> None:
        self._stream, self._rate, self._folder, self._settings = stream, rate_hz, folder, settings
        self._ring: deque[Block] = deque()
        self._before_gap: deque[Block] = deque()  # as long as an event of it may come
        self._ring_frames = round((settings.before_s + EVENT_DELAY_S) * rate_hz)
        self._end = 0
        self._free_from = 0  # frames before it are in a clip already
        self._on: dict[str, str] = {}  # event id -> label
        self._until = 0  # the clip goes on to here, also when nothing is on
        self._open: _OpenClip | None = None
        self._zero_at: float | None = None  # wall time of position 0, as far as it is known

    def on_block(self, block: Block, began_at: float | None) -> None:
        """Takes the next block; a jump in the positions or an interruption ends the clip.

        Args:
            block: of this stream.
            began_at: wall time of its first frame, Unix seconds, if it is live.
        """
        if block.position != self._end:
            self.finish_clip()
            self._before_gap, self._ring = self._ring, deque()
        elif self._open and self._open.end != block.position:  # it ends at a gap
            self.finish_clip()
        if began_at is not None:
            self._zero_at = began_at - block.position / self._rate
        self._ring.append(block)
        self._end = block.end
        while self._ring[0].end <= self._end - self._ring_frames:
            self._ring.popleft()
            self._before_gap.clear()
        if self._open:
            self._write(block)
            over = not self._on and self._end >= self._until
            too_long = self._end - self._open.start >= self._settings.longest_s * self._rate
            if over or too_long:
                self.finish_clip()
                if not over:
                    self._begin_clip(self._end, list(self._on.values()), ())
        if block.interrupted:
            self.finish_clip()

    def on_event(self, event: Event) -> None:
        """An instrument begins, and with it a clip if none is open; or it has ended."""
        if event.event == "off":
            self._on.pop(event.id, None)
            self._until = round((event.time_s + self._settings.after_s) * self._rate)
            return
        self._on[event.id] = event.label
        is_past = bool(self._before_gap) and event.onset_s * self._rate < self._ring[0].position
        if self._open and self._open.end != self._end and not is_past:  # it ends at a gap
            self.finish_clip()
        if self._open is None:
            start = round((event.onset_s - self._settings.before_s) * self._rate)
            blocks = self._before_gap if is_past else self._ring
            self._begin_clip(start, [event.label], blocks)
        elif event.label not in self._open.labels:
            self._open.labels.append(event.label)

    def finish_clip(self) -> None:
        """Finishes the open clip, if there is one."""
        if (clip := self._open) is None:
            return
        self._open, self._free_from = None, max(self._free_from, clip.end)
        self._folder.finish(
            clip.clip,
            clip.labels[:MAX_LABELS_IN_NAME],
            {
                "source": self._stream,
                "t0": clip.start / self._rate,
                "t1": clip.end / self._rate,
                "labels": clip.labels,
            },
        )

    def _begin_clip(self, start: int, labels: list[str], blocks: Sequence[Block]) -> None:
        """Begins a clip with what there is of these blocks from ``start`` on."""
        if blocks:
            start = max(start, blocks[0].position, self._free_from)
        channels = self._ring[-1].samples.shape[1]
        stem = f"{self._time_of(start)}_{self._stream}"
        self._open = _OpenClip(self._folder.begin(self._rate, channels, stem), start, start, labels)
        for block in blocks:
            self._write(block)

    def _write(self, block: Block) -> None:
        """Writes the block's frames behind the clip's end."""
        assert self._open is not None
        new = block.samples[max(0, self._open.end - block.position) :]
        if len(new):
            self._folder.write(self._open.clip, new)
            self._open.end = block.end

    def _time_of(self, position: int) -> str:
        """The time of day of live sound, in UTC, or the seconds within a file, as text."""
        seconds = position / self._rate
        if self._zero_at is None:
            return f"{seconds:010.3f}s"
        when = datetime.fromtimestamp(self._zero_at + seconds, UTC)
        return f"{when:%Y%m%dT%H%M%S}.{when.microsecond // 1000:03d}Z"
