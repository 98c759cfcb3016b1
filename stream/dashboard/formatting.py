"""The state in plain words; every function is pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mmgat.stream.audio.liveness import LivenessState
from mmgat.stream.bus.protocol import Estimate, Event, SourceInfo, Status
from mmgat.stream.dashboard.state import Connection, DashboardState, SourceState

CLIP_SHOWN_S: Final = 3.0
"""How long a clip stays lit after the last one."""

_CHANNELS: Final = {1: "mono", 2: "stereo"}


@dataclass(frozen=True)
class StatusItem:
    """A few words and whether they are a warning."""

    text: str
    warning: bool = False


def clock(seconds: float) -> str:
    """Seconds as mm:ss, or h:mm:ss from an hour on."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"


def held(seconds: float | None) -> str:
    """For how long something lasts as m:ss, or h:mm:ss from an hour on; "" for None."""
    if seconds is None:
        return ""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def duration(seconds: float) -> str:
    """Seconds as 1.2 s below a minute, else as mm:ss."""
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)


def counted(n: int, noun: str) -> str:
    """1 message, 2 messages."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def instrument(label: str) -> str:
    """A label as people write it."""
    return label.replace("_", " ")


def connection_text(state: DashboardState, source: SourceState | None, now: float) -> str:
    """How things stand, as a sentence without a full stop."""
    if source is None:
        return "connected, waiting for sound" if state.hello else f"waiting for {state.address}"
    match source.connection(now):
        case Connection.WAITING:
            return "waiting for the first window"
        case Connection.LIVE:
            return "LIVE"
        case Connection.STALE:
            since = source.first_at if source.estimate_at is None else source.estimate_at
            liveness = source.status.liveness if source.status else LivenessState.HEALTHY
            if liveness is not LivenessState.HEALTHY:
                return f"NO AUDIO, {liveness}: nothing for {now - since:.0f} s"
            return f"stale: running, but no estimate for {now - since:.0f} s"
        case Connection.GONE:
            return f"engine gone: nothing heard for {now - source.heard_at:.0f} s"
        case Connection.ENDED:
            return "ENDED"
        case Connection.FAILED:
            return "FAILED"


def estimate_text(estimate: Estimate | None) -> str:
    """What is special about a window, or ""."""
    if estimate is None:
        return ""
    if estimate.silent:
        return "silence"
    if estimate.warming_up:
        return "warming up"
    return "partial window" if estimate.partial else ""


def identity(state: DashboardState, source: SourceState | None) -> list[StatusItem]:
    """Which input and which model these are."""
    info = state.info(source.name) if source else None
    notes = [StatusItem(_input(info))] if info else []
    if hello := state.hello:
        notes += [
            StatusItem(f"model {hello.model.name} {hello.model.version}"),
            StatusItem(f"hop {hello.hop_s:g} s"),
            StatusItem(counted(hello.nodes, "node")),
            StatusItem(hello.compute),
        ]
    return notes


def _input(info: SourceInfo) -> str:
    channels = _CHANNELS.get(info.channels, counted(info.channels, "channel"))
    return f"{info.kind} {info.sample_rate_hz / 1000:g} kHz {channels}"


def health(state: DashboardState, source: SourceState | None) -> list[StatusItem]:
    """What went wrong, then how fast and how far the engine is."""
    status = source.status if source else None
    notes = _losses(state, status)
    if status:
        if not notes:
            notes.append(StatusItem("nothing lost"))
        factor = status.real_time_factor
        too_slow = factor > 1
        notes += [
            StatusItem(f"lag {status.lag_ms:.0f} ms"),
            StatusItem(f"{factor:.2f} × real time" + (", too slow" if too_slow else ""), too_slow),
            StatusItem(f"waiting {1000 * _seconds(status, status.queued):.0f} ms"),
            StatusItem(f"heard {clock(_seconds(status, status.captured))}"),
            StatusItem(f"analysed {clock(_seconds(status, status.analysed))}"),
        ]
        if status.discarded:
            notes.append(StatusItem(f"discarded {duration(_seconds(status, status.discarded))}"))
        if status.longest_callback_ms:
            notes.append(StatusItem(f"longest callback {status.longest_callback_ms:.1f} ms"))
        if status.drift_ppm is not None:
            notes.append(StatusItem(f"clock {status.drift_ppm:+.0f} ppm"))
    return notes


def _seconds(status: Status, n_samples: int) -> float:
    """Zero while the rate is unknown."""
    return n_samples / status.sample_rate_hz if status.sample_rate_hz else 0.0


def _losses(state: DashboardState, status: Status | None) -> list[StatusItem]:
    losses = []
    if status:
        if status.message:
            losses.append(status.message)
        if status.dropped:
            losses.append(f"dropped {duration(_seconds(status, status.dropped))}")
        if status.outages:
            losses.append(counted(status.outages, "outage"))
        if status.xruns:
            losses.append(counted(status.xruns, "overrun"))
        if status.nonfinite:
            losses.append(counted(status.nonfinite, "bad sample"))
    if state.lost:
        losses.append(f"{counted(state.lost, 'message')} lost")
    if state.unreadable:
        losses.append(counted(state.unreadable, "unreadable message"))
    return [StatusItem(text, warning=True) for text in losses]


def clipping(source: SourceState, now: float) -> StatusItem | None:
    """A warning while the input clips, a reminder afterwards."""
    if source.clipped_at is not None and now - source.clipped_at < CLIP_SHOWN_S:
        return StatusItem("CLIPPING: turn the input down", warning=True)
    if source.status and source.status.clipped:
        return StatusItem(counted(source.status.clipped, "clipped sample"))
    return None


def event_text(event: Event) -> str:
    """An event as a line of the log."""
    what = "began" if event.event == "on" else f"ended ({duration(event.time_s - event.onset_s)})"
    return f"{clock(event.time_s)} {instrument(event.label)} {what}"
