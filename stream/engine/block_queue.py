"""A bounded queue between capture and analysis that accounts for every sample."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from mmgat.stream.audio.source import Block


@dataclass(frozen=True)
class SampleAccount:
    """Counts the frames of one stream since its start.

    Always captured = analysed + dropped + discarded + queued.

    Attributes:
        captured: frames that the source gave, or should have given where positions jump.
        analysed: frames taken by the analysis, without those whose window it skipped.
        dropped: frames lost because the source could not keep them, or analysis did not keep up.
        discarded: frames that were left when the stream was stopped, or that came while it was paused.
        queued: frames that wait.
    """

    captured: int = 0
    analysed: int = 0
    dropped: int = 0
    discarded: int = 0
    queued: int = 0

    @property
    def balanced(self) -> bool:
        """Whether the equation holds."""
        return self.captured == self.analysed + self.dropped + self.discarded + self.queued


class BlockQueue:
    """Keeps blocks in order, at most ``capacity`` frames of them.

    Args:
        capacity: frames that may wait.
        lossy: a full queue drops its oldest blocks (live sources) instead of making ``put`` wait.
        changed: called when a block has come, or the end.

    Attributes:
        overflowed: those of the dropped frames that analysis did not keep up with: the queue was full,
            or their window was skipped.

    A jump in the positions is counted as captured and dropped: those frames existed, and the
    source could not keep them.
    """

    def __init__(
        self, capacity: int, lossy: bool, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._capacity, self._lossy, self._tell = capacity, lossy, changed
        self.overflowed = 0
        self._blocks: deque[Block] = deque()
        self._changed = threading.Condition()
        self._counts = dict.fromkeys(("captured", "analysed", "dropped", "discarded", "queued"), 0)
        self._expected = 0
        self._closed = False

    @property
    def account(self) -> SampleAccount:
        """The account now; balanced at every moment."""
        with self._changed:
            return SampleAccount(**self._counts)

    def put(self, block: Block) -> None:
        """Adds a block; a closed queue counts it as discarded."""
        size = len(block.samples)
        with self._changed:
            if not self._lossy:
                self._changed.wait_for(lambda: self._closed or self._has_room(size))
            gap = max(0, block.position - self._expected)
            self._expected = block.end
            if self._closed:
                self._add(captured=gap + size, dropped=gap, discarded=size)
                return
            while self._blocks and not self._has_room(size):
                oldest = len(self._blocks.popleft().samples)
                self._add(queued=-oldest, dropped=oldest)
                self.overflowed += oldest
            self._blocks.append(block)
            self._add(captured=gap + size, dropped=gap, queued=size)
        self._tell()

    def take(self, at_most: int = 0) -> Block | None:
        """Takes the oldest block, counted as analysed; None if nothing waits now.

        Args:
            at_most: blocks that follow it without a jump are joined to it, up to so many frames.
        """
        with self._changed:
            taken: list[Block] = []
            while self._blocks and (
                not taken
                or (
                    self._blocks[0].position == taken[-1].end
                    and not taken[-1].interrupted
                    and self._blocks[0].end - taken[0].position <= at_most
                )
            ):
                taken.append(self._blocks.popleft())
            if not taken:
                return None
            block = Block.joined(taken)
            size = len(block.samples)
            self._add(queued=-size, analysed=size)
            self._changed.notify_all()
            return block

    def may_gather(self, n_frames: int) -> bool:
        """Whether what waits may wait for more: fewer frames, behind which the stream goes on."""
        with self._changed:
            waits_for_none = self._closed or (self._blocks and self._blocks[-1].interrupted)
            return not waits_for_none and self._counts["queued"] < n_frames

    def count_skipped(self, n_frames: int) -> None:
        """Counts frames that were taken as dropped: the window that stands for them is skipped."""
        with self._changed:
            skipped = min(n_frames, self._counts["analysed"])
            self._add(analysed=-skipped, dropped=skipped)
            self.overflowed += skipped

    @property
    def position(self) -> int:
        """Where the stream is: the frame after the last that came."""
        with self._changed:
            return self._expected

    def discard_waiting(self) -> None:
        """Counts what waits as discarded."""
        with self._changed:
            self._discard()
            self._changed.notify_all()

    @property
    def ended(self) -> bool:
        """Whether it is closed and empty."""
        with self._changed:
            return self._closed and not self._blocks

    def close(self, discard: bool) -> None:
        """Ends the stream; what waits can still be taken, unless it is discarded."""
        with self._changed:
            self._closed = True
            if discard:
                self._discard()
            self._changed.notify_all()
        self._tell()

    def _has_room(self, size: int) -> bool:
        return not self._blocks or self._counts["queued"] + size <= self._capacity

    def _discard(self) -> None:
        self._add(queued=-self._counts["queued"], discarded=self._counts["queued"])
        self._blocks.clear()

    def _add(self, **changes: int) -> None:
        for name, change in changes.items():
            self._counts[name] += change
