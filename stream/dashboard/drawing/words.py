"""The state in plain words; every function is pure."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Final

from mmgat.stream.audio.liveness import LivenessState
from mmgat.stream.bus.protocol import Estimate, SourceInfo, Status
from mmgat.stream.dashboard.state.dashboard import DashboardState
from mmgat.stream.dashboard.state.sources import Connection, SourceState

CLIP_SHOWN_S: Final = 3.0
"""How long a clip stays lit after the last one."""

NO_SIGNAL_DBFS: Final = -120.0
"""No converter is that quiet: what is below is rounding of zeros."""

_CHANNELS: Final = {1: "mono", 2: "stereo"}


@dataclass(frozen=True)
class StatusItem:
    """A few words and whether they are a warning."""

    text: str
    warning: bool = False


def clock(seconds: float) -> str:
    """Seconds as mm:ss, or h:mm:ss from an hour on; a minus before the start of a stream."""
    sign = "-" if seconds <= -1 else ""
    minutes, second = divmod(int(abs(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"
    return sign + text


def held(seconds: float | None) -> str:
    """For how long something lasts as m:ss, or h:mm:ss from an hour on; "" for None."""
    if seconds is None:
        return ""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def duration(seconds: float) -> str:
    """Seconds as 1.2 s below a minute, else as mm:ss."""
    return f"{seconds:.1f} s" if seconds < 59.95 else clock(round(seconds))


def span(seconds: float) -> str:
    """A width of time: 1 min, 30 min, 1 h."""
    if seconds < 60:
        return f"{seconds:g} s"
    return f"{seconds / 60:g} min" if seconds < 3600 else f"{seconds / 3600:g} h"


def time_of_day(unix_time: float | None) -> str:
    """The local time as hh:mm:ss; dashes where it is not known."""
    if not unix_time:
        return "--:--:--"
    try:
        return time.strftime("%H:%M:%S", time.localtime(unix_time))
    except (ValueError, OverflowError, OSError):  # beyond what the system's calendar has
        return "--:--:--"


def counted(n: int, noun: str) -> str:
    """1 message, 2 messages."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def milliseconds(value: float) -> str:
    """Milliseconds, as seconds from 10,000 on."""
    return f"{value:.0f} ms" if value < 10_000 else f"{value / 1000:.0f} s"


def instrument(label: str) -> str:
    """A label as people write it."""
    return label.replace("_", " ")


def short_instrument(label: str) -> str:
    """A label in at most a dozen letters, for large ones."""
    return {"mallet_percussion": "mallets", "synthesizer": "synth"}.get(label, instrument(label))


def level(dbfs: float | None) -> str:
    """A level in words."""
    if dbfs is None:
        return "no level yet"
    return "no signal" if no_signal(dbfs) else f"{dbfs:.0f} dBFS"


def no_signal(dbfs: float) -> bool:
    """Whether a level means that nothing at all comes."""
    return dbfs <= NO_SIGNAL_DBFS or math.isnan(dbfs)


def cores(share: float) -> str:
    """What computing takes, where 1 is all the time that passes."""
    return f"{100 * share:.0f} % of one core" + (", too slow" if share > 1 else "")


def connection_word(connection: Connection) -> str:
    """How a source stands, in a word."""
    return {
        Connection.WAITING: "waiting",
        Connection.LIVE: "live",
        Connection.PAUSED: "paused",
        Connection.STALE: "no estimates",
        Connection.GONE: "engine gone",
        Connection.ENDED: "ended",
        Connection.FAILED: "failed",
    }[connection]


def connection_words(source: SourceState, now: float) -> str:
    """The same where there is little room, and since when."""
    connection = source.connection(now)
    since = source.heard_at if connection is Connection.GONE else source.estimate_at
    return f"{connection_word(connection).upper()} for {now - (since or source.first_at):.0f} s"


def connection_text(state: DashboardState, source: SourceState | None, now: float) -> str:
    """How things stand, as a sentence without a full stop."""
    if source is None:
        return "connected, waiting for sound" if state.hello else f"waiting for {state.address}"
    match source.connection(now):
        case Connection.WAITING:
            return "waiting for the first window"
        case Connection.LIVE:
            return "LIVE"
        case Connection.PAUSED:
            return "PAUSED"
        case Connection.STALE:
            since = source.first_at if source.estimate_at is None else source.estimate_at
            liveness = source.status.liveness if source.status else LivenessState.HEALTHY
            if liveness is not LivenessState.HEALTHY:
                return f"NO SOUND, {liveness}: nothing for {now - since:.0f} s"
            return f"STALE: running, but no estimate for {now - since:.0f} s"
        case Connection.GONE:
            return f"ENGINE GONE: nothing heard for {now - source.heard_at:.0f} s"
        case Connection.ENDED:
            return "ENDED"
        case Connection.FAILED:
            return "FAILED"


def estimate_text(estimate: Estimate | None) -> str:
    """What is special about a window, or ""."""
    if estimate is None:
        return ""
    if estimate.silent:
        return f"silence, {level(estimate.level_dbfs)}"
    if estimate.warming_up:
        return "warming up"
    return "less than a second of sound" if estimate.partial else ""


def input_text(info: SourceInfo) -> str:
    """A source's kind, rate and channels."""
    channels = _CHANNELS.get(info.channels, counted(info.channels, "channel"))
    return f"{info.kind} {info.sample_rate_hz / 1000:g} kHz {channels}"


def seconds_of(status: Status, n_samples: int) -> float:
    """Samples of a source in seconds; zero while the rate is unknown."""
    return n_samples / status.sample_rate_hz if status.sample_rate_hz else 0.0


def losses(state: DashboardState, status: Status | None) -> list[str]:
    """Everything that was lost or went wrong, in words."""
    found = []
    if status:
        if status.message:
            found.append(status.message)
        if status.dropped:
            found.append(f"{duration(seconds_of(status, status.dropped))} dropped")
        if status.outages:
            found.append(counted(status.outages, "outage"))
        if status.xruns:
            found.append(counted(status.xruns, "overrun"))
        if status.nonfinite:
            found.append(counted(status.nonfinite, "bad sample"))
        found += [
            f"{counted(n, 'message')} lost by {name}" for name, n in status.sinks_dropped.items()
        ]
        found += [
            f"{duration(seconds)} of sound lost by {name}"
            for name, seconds in status.sinks_dropped_s.items()
        ]
    if state.lost:
        found.append(f"{counted(state.lost, 'message')} lost on the way")
    if state.unreadable:
        found.append(counted(state.unreadable, "unreadable message"))
    return found


def health(state: DashboardState, source: SourceState | None, now: float) -> list[StatusItem]:
    """What went wrong, then how far behind the engine is; nothing is claimed of one that is gone."""
    status = source.status if source else None
    notes = [StatusItem(text, warning=True) for text in losses(state, status)]
    connection = source.connection(now) if source else Connection.WAITING
    if status and connection in (Connection.LIVE, Connection.ENDED):
        if not notes:
            notes.append(StatusItem("nothing lost"))
        if connection is Connection.LIVE:
            too_slow = status.real_time_factor > 1
            notes.append(StatusItem(f"{milliseconds(status.lag_ms)} behind"))
            notes.append(StatusItem(cores(status.real_time_factor), too_slow))
    return notes


def clipping(source: SourceState, info: SourceInfo | None, now: float) -> StatusItem | None:
    """A warning while the input clips, a reminder afterwards; a file cannot be turned down."""
    clips = source.clipped_at is not None and now - source.clipped_at < CLIP_SHOWN_S
    if clips and not (info and info.kind == "file"):
        return StatusItem("CLIPPING: lower the input", warning=True)
    if source.status and source.status.clipped:
        return StatusItem(f"{counted(source.status.clipped, 'sample')} at full scale", clips)
    return None
