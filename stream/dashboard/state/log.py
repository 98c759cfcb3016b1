"""The log: every event and every warning, with its time, as frozen entries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from mmgat.stream.bus.protocol import Event, Status

MAX_ENTRIES: Final = 2000

CLIP_PERIOD_S: Final = 10.0
"""Clipping and losses that go on are one line in so many seconds of the stream."""

Kind = Literal["on", "off", "warning", "over", "notice", "mark"]
KINDS: Final[dict[str, tuple[Kind, ...]]] = {
    "all": ("on", "off", "warning", "over", "notice", "mark"),
    "instruments": ("on", "off"),
    "warnings": ("warning", "over"),
    "marks and notices": ("mark", "notice"),
}
"""What the filter shows, by its name."""

_NUMBERS: Final = re.compile(r"\d+(\.\d+)?%?")


@dataclass(frozen=True)
class Entry:
    """One line of the log.

    Attributes:
        number: no two entries have the same; it counts up, and down for what is told late.
        kind: on and off of an instrument; a warning, its end; a notice; a mark of the user.
        unix_time: when; 0 if nothing said it.
        stream_s: second in the stream, where there is one.
        source: name, or "" for what concerns all.
        text: in words.
        label: of the instrument, or "".
        lasted_s: how long, of what ended.
    """

    number: int
    kind: Kind
    unix_time: float
    stream_s: float | None
    source: str
    text: str
    label: str = ""
    lasted_s: float | None = None


Entries = tuple[Entry, ...]


def newest(entries: Entries) -> int:
    """The number of the entry that came last and was not told late; -1 where there is none."""
    return max((entry.number for entry in entries), default=-1)


def with_entry(
    entries: Entries,
    kind: Kind,
    text: str,
    unix_time: float,
    source: str = "",
    stream_s: float | None = None,
    label: str = "",
    lasted_s: float | None = None,
    *,
    replayed: bool = False,
) -> Entries:
    """The log with another entry; the oldest goes beyond ``MAX_ENTRIES``.

    Args:
        entries: the log before.
        replayed: it is told late: its place is where its time is.
    """
    if replayed:
        number = min((one.number for one in entries if one.number < 0), default=0) - 1
    else:
        number = next((one.number for one in reversed(entries) if one.number >= 0), -1) + 1
    entry = Entry(number, kind, unix_time, stream_s, source, text, label, lasted_s)
    place = len(entries)
    while replayed and place and entries[place - 1].unix_time > unix_time:
        place -= 1
    return (*entries[:place], entry, *entries[place:])[-MAX_ENTRIES:]


def with_event(entries: Entries, event: Event) -> Entries:
    """The log after an instrument has begun or ended."""
    name = event.label.replace("_", " ")
    lasted_s = max(0.0, event.time_s - event.onset_s) if event.event == "off" else None
    text = f"{name} began" if event.event == "on" else f"{name} ended"
    return with_entry(
        entries, event.event, text, event.time, event.source, event.time_s, event.label, lasted_s,
        replayed=event.replayed,
    )  # fmt: skip


def with_status(entries: Entries, before: Status | None, status: Status) -> Entries:
    """The log after a status: what has become worse or better since the one before."""
    at, stream_s, name = status.time, _heard_s(status), status.source

    def add(kind: Kind, text: str) -> None:
        nonlocal entries
        entries = with_entry(entries, kind, text, at, name, stream_s)

    old = before.message if before else ""
    if _NUMBERS.sub("#", old) != _NUMBERS.sub("#", status.message):
        if old:
            add("over", f"over: {old}")
        if status.message:
            add("warning", status.message)
    if before is None:
        return entries
    if before.liveness != status.liveness:
        healthy = status.liveness == "healthy"
        add(
            "over" if healthy else "warning",
            "sound comes again" if healthy else f"no sound comes: {status.liveness}",
        )
    rate = max(1, status.sample_rate_hz)
    for text, grown in (
        (f"{(status.dropped - before.dropped) / rate:.1f} s of sound dropped",
         status.dropped > before.dropped),
        (f"{status.xruns - before.xruns} overruns of the audio system",
         status.xruns > before.xruns),
        (f"{status.clipped - before.clipped} samples at full scale",
         status.clipped > before.clipped),
    ):  # fmt: skip
        if grown and not _told_lately(entries, name, text, stream_s):
            add("warning", text)
    if before.state != status.state:
        failed = status.state == "failed"
        add("warning" if failed else "notice", "failed" if failed else f"{status.state}")
    return entries


def filtered(entries: Entries, kinds: str, search: str) -> Entries:
    """The entries of a filter's name whose text, source or label holds all words of ``search``."""
    wanted, words = KINDS[kinds], search.casefold().split()
    return tuple(
        entry
        for entry in entries
        if entry.kind in wanted
        and all(word in f"{entry.source} {entry.text}".casefold() for word in words)
    )


def _heard_s(status: Status) -> float | None:
    return status.captured / status.sample_rate_hz if status.sample_rate_hz else None


def _told_lately(entries: Entries, source: str, text: str, stream_s: float | None) -> bool:
    kind = _NUMBERS.sub("#", text)
    for entry in reversed(entries[-20:]):
        if entry.source == source and _NUMBERS.sub("#", entry.text) == kind:
            told_s = entry.stream_s
            return stream_s is None or told_s is None or 0 <= stream_s - told_s < CLIP_PERIOD_S
    return False
