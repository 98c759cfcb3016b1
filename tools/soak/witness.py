"""What comes out of the engine during a soak, and which facts it breaks.

The witness believes no counter of the program: it counts estimates, events and frames itself, and
compares them with the ledger of the device.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from mmgat.stream.audio.liveness import LivenessState
from mmgat.stream.audio.source import Block
from mmgat.stream.bus.protocol import Estimate, Event, Message, Status
from tools.soak.device import (
    BLOCK_S,
    DRIFT_PPM,
    LONGEST_CALLBACK_MS,
    MINUTE_S,
    RATE_HZ,
    Ledger,
    ScriptedDevice,
)

HOP_S: Final = 1.0
NODES: Final = 10
SCORE_TOLERANCE: Final = 0.02
"""Blocks are joined as they come; a resampler's last bit may turn a step of the 8-bit network."""

LEVELS_DBFS: Final = (-40.0, -5.0)
LEAD_S: Final = 2.0
"""An embedder hears some sound before the second of its node, at most so much."""

SETTLING_S: Final = LEAD_S + NODES + 3.0
"""Seconds after a fault until all nodes of a graph are undisturbed, and windows are at their places."""

COMPARED: Final = 0.8
"""So many of the windows that repeat those of a minute before must have been compared."""


class Witness:
    """Follows one channel.

    Args:
        ledger: of the device.
        channel: counts from 0.
        exact: every frame is analysed; False where the embedder is slow at times: then frames and
            windows are missing in those times, and only in them.
    """

    def __init__(self, ledger: Ledger, channel: int, exact: bool) -> None:
        self._ledger, self._channel, self._exact = ledger, channel, exact
        self.seen = 0
        self.n_frames = 0
        self.n_estimates = 0
        self._n_nan = self._n_skipped = 0
        self._last: Estimate | None = None
        self._latency_ms = 0.0
        self._open: dict[str, Event] = {}
        self._ids: set[str] = set()
        self._scores: dict[tuple[int, ...], list[float]] = {}
        self._steady_from_s = self._unbroken_from_s = -1.0
        self.n_compared = 0
        self.broken: list[str] = []

    def on_block(self, block: Block) -> None:
        """Compares the frames that are analysed with those that were given at their place."""
        if not len(block.samples):
            return
        self.n_frames += len(block.samples)
        self.seen = block.end
        given = self._ledger.blocks.get(block.position, block.samples[:0])[:, self._channel]
        self._n_nan += int(np.isnan(given).sum())
        if not np.array_equal(given, block.samples[:, 0], equal_nan=True):
            self._break("the frames that are analysed are not those that were given")

    def on_message(self, message: Message) -> None:
        """Takes an estimate or an event of this channel."""
        if isinstance(message, Estimate):
            self._on_estimate(message)
        elif isinstance(message, Event):
            self._on_event(message)

    def _on_estimate(self, estimate: Estimate) -> None:
        last, self._last = self._last, estimate
        self.n_estimates += 1
        if not estimate.partial:
            self._latency_ms = estimate.latency_ms
            if estimate.latency_ms <= 0:
                self._break(f"an estimate comes {-estimate.latency_ms:.0f} ms before its sound")
        step = estimate.index - (last.index if last else -1)
        may_skip = not self._exact and (last is None or last.t0 <= self._ledger.slow_until_s)
        if step < 1 or (step > 1 and not may_skip):
            self._break(f"window {estimate.index} comes {step} windows after the one before")
        if step > 1:
            self._n_skipped += step - 1
            self._unbroken_from_s = estimate.t0
        if last is not None and estimate.t0 <= last.t0:
            self._break(f"the window at {estimate.t0} s follows that at {last.t0} s")
        if set(estimate.active) != {event.label for event in self._open.values()} and last is None:
            self._break("instruments are active before any event")
        self._compare_scores(estimate)

    def _compare_scores(self, estimate: Estimate) -> None:
        """The sound repeats every minute, so its scores do where the last nodes are undisturbed."""
        ledger = self._ledger
        if ledger.steady_from_s != self._steady_from_s:
            self._steady_from_s = ledger.steady_from_s
            self._scores.clear()
        begins = estimate.evidence_t0[0]
        undisturbed_from_s = max(self._steady_from_s + LEAD_S, self._unbroken_from_s)
        if begins <= undisturbed_from_s or len(estimate.evidence_t0) < NODES or estimate.partial:
            return
        scores = [*estimate.scores.values(), *estimate.bag_scores.values(), estimate.level_dbfs]
        key = tuple(round(1000 * t0) % (1000 * MINUTE_S) for t0 in estimate.evidence_t0)
        before = self._scores.setdefault(key, scores)
        if before is scores:
            return
        self.n_compared += 1
        if (difference := float(np.abs(np.subtract(before, scores)).max())) > SCORE_TOLERANCE:
            self._break(
                f"scores at {estimate.t0:.2f} s differ by {difference:.3f} from a minute before"
            )

    def _on_event(self, event: Event) -> None:
        if event.event == "on":
            if event.id in self._ids:
                self._break(f"the event {event.id!r} begins twice")
            if event.label in {other.label for other in self._open.values()}:
                self._break(f"{event.label} begins while it is on")
            self._ids.add(event.id)
            self._open[event.id] = event
            return
        begun = self._open.pop(event.id, None)
        if begun is None:
            self._break(f"the event {event.id!r} ends without a beginning")
        elif event.onset_s != begun.time_s or event.time_s < begun.time_s:
            self._break(f"the event {event.id!r} ends at {event.time_s} s with another onset")

    def facts_at_end(self, status: Status, device: ScriptedDevice, now: float) -> Iterator[str]:
        """What is broken by the counters and the rest, when all is over."""
        yield from self.broken
        ledger = self._ledger
        if self._open:
            yield f"{sorted(self._open)} never end"
        if status.captured != status.analysed + status.dropped + status.discarded + status.queued:
            yield f"the account is not balanced: {status}"
        pairs: dict[str, tuple[Any, Any]] = {
            "captured frames": (status.captured, ledger.expected),
            "queued frames": (status.queued, 0),
            "windows": (status.windows, self.n_estimates),
            "NaN samples": (status.nonfinite, self._n_nan),
            "outages": (status.outages, ledger.outages),
            "overflows": (status.xruns, ledger.xruns),
            "longest callback": (status.longest_callback_ms, LONGEST_CALLBACK_MS),
            "drift": (status.drift_ppm, DRIFT_PPM),
            "sample rate": (status.sample_rate_hz, RATE_HZ),
            "lag": (status.lag_ms, self._latency_ms),
            "uptime": (status.uptime_s, now),
            "state": (status.state, "ended"),
        }
        if device.is_giving:
            pairs["liveness"] = (status.liveness, LivenessState.HEALTHY)
        missed = ledger.expected - ledger.given
        skipped = round(self._n_skipped * HOP_S * RATE_HZ)
        pairs |= {
            "discarded frames": (status.discarded, 0),
            "dropped frames": (status.dropped, missed + ledger.given - self.n_frames + skipped),
        }
        if self._exact:
            windows = sum(math.ceil(frames / RATE_HZ / HOP_S) for frames in ledger.segments)
            pairs |= {
                "analysed frames": (status.analysed, ledger.given),
                "frames on their way to analysis": (self.n_frames, ledger.given),
                "estimates": (self.n_estimates, windows),
            }
        for name, (found, expected) in pairs.items():
            if found != expected:
                yield f"{name}: expected {expected}, found {found}"
        if ledger.steady_s > 1 and not LEVELS_DBFS[0] < status.level_dbfs < LEVELS_DBFS[1]:
            yield f"level: expected one within {LEVELS_DBFS}, found {status.level_dbfs}"
        wanted = math.floor(COMPARED * ledger.repeated_s / HOP_S)
        if self.n_compared < wanted:
            yield (
                f"scores compared with those of a minute before: expected at least {wanted}, found "
                f"{self.n_compared}"
            )
        if ledger.outages and device.is_giving and ledger.opened < 2:
            yield "the device was lost and never opened again"
        if self._exact and self._last and self._last.t1 - ledger.expected / RATE_HZ > BLOCK_S:
            yield f"the last window ends at {self._last.t1} s, behind the sound"

    def _break(self, fact: str) -> None:
        if len(self.broken) < 10:
            self.broken.append(fact)


class Reader:
    """A subscriber that reads all; it decodes msgpack by itself."""

    def __init__(self) -> None:
        self._next_seq: dict[str, int] = {}
        self._counts: defaultdict[str, int] = defaultdict(int)
        self.broken: list[str] = []

    def on_frames(self, frames: Sequence[bytes]) -> None:
        """Takes one message: topic and map."""
        topic, fields = frames[0].decode(), msgspec.msgpack.decode(frames[1])
        if fields.get("replayed") and fields["seq"] < self._next_seq.get(topic, 0):
            return  # sent again for a newcomer, and known
        kind = topic.split("/")[2]
        self._counts[kind] += 1
        expected = self._next_seq.get(topic, fields["seq"])
        if fields["seq"] != expected and len(self.broken) < 10:
            self.broken.append(f"{topic}: expected seq {expected}, found {fields['seq']}")
        self._next_seq[topic] = fields["seq"] + 1
        if kind == "status":
            ends = sum(fields[name] for name in ("analysed", "dropped", "discarded", "queued"))
            if fields["captured"] != ends and len(self.broken) < 10:
                self.broken.append(f"a status on the bus is not balanced: {fields}")

    def facts_at_end(self, n_estimates: int, n_events: int) -> Iterator[str]:
        """What is broken on the bus, given what the engine's own sinks got."""
        yield from self.broken
        for kind, expected in (("estimate", n_estimates), ("event", n_events)):
            if self._counts[kind] != expected:
                yield f"{kind}s on the bus: expected {expected}, found {self._counts[kind]}"
        if not self._counts["status"]:
            yield "there was no status on the bus"
