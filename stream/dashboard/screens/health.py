"""Health: whether the system is well, in plain words, with the past of every figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from mmgat.stream.bus.protocol import Status
from mmgat.stream.dashboard.drawing.bars import FLOOR_DBFS, sparkline
from mmgat.stream.dashboard.drawing.cells import (
    BRIGHT,
    ERROR,
    MUTED,
    OK,
    QUIET,
    TEXT,
    WARNING,
    ColorRole,
    Line,
    Span,
    blank,
    cut,
    fit,
    heading,
    line_len,
    spread,
    wrapped,
)
from mmgat.stream.dashboard.drawing.channels import channel_lines
from mmgat.stream.dashboard.drawing.words import (
    cores,
    counted,
    duration,
    input_text,
    level,
    losses,
    milliseconds,
    seconds_of,
)
from mmgat.stream.dashboard.screens.frame import Keys, body_height, framed
from mmgat.stream.dashboard.screens.welcome import welcome
from mmgat.stream.dashboard.state.sources import Connection, HealthSample, SourceState
from mmgat.stream.dashboard.state.view import View

KEYS: Final[Keys] = (("↑ ↓", "scroll"), ("tab", "next source"), ("space", "freeze"))
SECONDS_OF_A_DAY: Final = 86_400


def render(view: View, width: int, height: int) -> list[Line]:
    """A verdict, then the figures behind it."""
    room = body_height(height)
    lines = _body(view, width, room)
    scroll = min(view.choices.scroll, max(0, len(lines) - room))
    lines, below = lines[scroll:], len(lines) - scroll - room
    if below > 0:
        more = [Span(f"↓ {counted(below, 'line')} more", MUTED)]
        lines[room - 1] = spread(cut(lines[room - 1], width - line_len(more) - 2), more, width)
    return framed(view, "health", lines, KEYS, (width, height))


def last_scroll(view: View, width: int, height: int) -> int:
    """By how many lines the screen can be scrolled."""
    room = body_height(height)
    return max(0, len(_body(view, width, room)) - room)


def _body(view: View, width: int, height: int) -> list[Line]:
    source = view.source
    if source is not None and source.status is None and view.replay:
        words = "This recorded session has no status: mmgat-listen keeps it, --jsonl does not."
        return wrapped(words, MUTED, width)
    if source is None or source.status is None:
        return welcome(view, width, height)
    role, words = verdict(view, source, source.status)
    parts = [
        wrapped(words, role, width),
        _sound(view, source, source.status, width),
        _delay(view, source, source.status, width),
        _lost(view, source, source.status, width),
        _identity(view, source, width),
    ]
    gap: list[Line] = [[]] if sum(map(len, parts)) + len(parts) - 1 <= height else []
    return [line for part in parts for line in (*part, *gap)]


def verdict(view: View, source: SourceState, status: Status) -> tuple[ColorRole, str]:
    """Whether all is well, in a sentence; nothing is claimed of an engine that is gone."""
    heard = duration(seconds_of(status, status.captured))
    found = losses(view.state, status)
    match source.connection(view.now):
        case Connection.GONE:
            ago = view.now - source.heard_at
            return WARNING, (
                f"Nothing has been heard of the engine for {ago:.0f} s. Whether it still "
                "recognises, or loses sound, is not known here."
            )
        case Connection.STALE:
            return WARNING, f"The engine runs, but gives no estimates. {status.message}".strip()
        case Connection.PAUSED:
            return TEXT, f"Paused: nothing is recognised. p goes on. Before: {heard} of sound."
        case Connection.FAILED:
            return ERROR, f"The source has failed: {status.message or 'it did not say why'}"
    if status.real_time_factor > 1:
        return WARNING, "This machine is too slow: it cannot analyse sound as fast as it comes."
    if found:
        return WARNING, f"In {heard} of sound: {'; '.join(found)}."
    return OK, f"All is well: {heard} of sound, and nothing lost."


def _figure(
    name: str,
    value: str,
    width: int,
    history: Line | None = None,
    remark: str = "",
    role: ColorRole = TEXT,
) -> Line:
    """A figure: its name, its value, its past, and what it means."""
    line: Line = [Span(fit(name, 11), MUTED), Span(f"{value:>9} ", role)]
    if history is not None:
        line += [Span(" ", TEXT), *history]
    room = width - line_len(line) - 2
    if remark and room >= 8:
        line.append(Span("  " + fit(remark, min(room, len(remark))), MUTED))
    return line


def _past(
    source: SourceState,
    value: Callable[[HealthSample], float | None],
    low: float,
    high: float,
    width: int,
    role: ColorRole = QUIET,
) -> Line:
    samples = source.samples[-600:]
    return sparkline([value(sample) for sample in samples], low, high, _cells(width), role)


def _cells(width: int) -> int:
    room = width - 21 - 26
    return min(60, room) if room >= 8 else 0


def _sound(view: View, source: SourceState, status: Status, width: int) -> list[Line]:
    lines = [heading("sound", "the last 10 minutes" if _cells(width) else "", width)]
    past = _past(source, lambda s: s.level_dbfs, FLOOR_DBFS, 0.0, width, OK)
    peak = max((sample.level_dbfs for sample in source.samples), default=status.level_dbfs)
    lines.append(_figure("level", level(status.level_dbfs), width, past, f"max {level(peak)}"))
    clipped = _grown(source.samples, lambda s: s.clipped)
    lines.append(
        _figure(
            "clipping",
            str(status.clipped) if status.clipped else "none",
            width,
            sparkline(clipped, 0, max(1.0, max(clipped, default=1)), _cells(width), ERROR),
            "samples at full scale" if status.clipped else "peaks have room",
            ERROR if status.clipped else TEXT,
        )
    )
    came = [1.0 if sample.healthy else None for sample in source.samples[-600:]]
    lines.append(
        _figure(
            "arrives",
            "yes" if status.liveness == "healthy" else str(status.liveness),
            width,
            sparkline(came, -1, 3, _cells(width), OK),
            counted(status.outages, "outage") if status.outages else "no breaks",
            TEXT if status.liveness == "healthy" else WARNING,
        )
    )
    return lines + channel_lines(source, status, view.now, _cells(width), width)


def _grown(samples: Sequence[HealthSample], value: Callable[[HealthSample], int]) -> list[float]:
    values = [value(sample) for sample in samples[-601:]]
    return [float(max(0, b - a)) for a, b in pairwise(values)]


def _delay(view: View, source: SourceState, status: Status, width: int) -> list[Line]:
    """Where the time goes between a sound and its picture, part by part, and what computing takes."""
    hop_ms = 1000 * view.state.hello.hop_s if view.state.hello else 0.0
    samples = source.samples[-600:]
    newest = samples[-1] if samples else None
    transit_ms = _transit_ms(newest) if newest else 0.0
    parts: list[tuple[str, float, Callable[[HealthSample], float | None] | None, str]] = [
        ("capture", status.capture_ms, lambda s: s.capture_ms, "device and driver"),
        ("window", hop_ms / 2, None, "until one is full"),
        ("queue", status.queue_ms, lambda s: s.queue_ms, "until it is its turn"),
        ("neural net", status.compute_ms, lambda s: s.compute_ms, "its recognition"),
        ("publish", transit_ms, _transit_ms, "from the engine to here"),
    ]
    rest_ms = hop_ms / 2

    def in_all(sample: HealthSample) -> float:
        return sample.capture_ms + rest_ms + sample.lag_ms + _transit_ms(sample)

    worst_ms = max(map(in_all, samples), default=0.0)
    top = max(100.0, worst_ms)
    remark = "from a sound to its picture" if width >= 44 else ""
    lines = [heading("delay", remark, width)]
    lines.append(
        _figure("in all", milliseconds(sum(ms for _, ms, _, _ in parts)), width,
                _past(source, in_all, 0, top, width), f"highest {milliseconds(worst_ms)}")
    )  # fmt: skip
    for name, ms, value, meaning in parts:
        past = _past(source, value, 0, top, width) if value else _no_past(width)
        lines.append(_figure(name, milliseconds(ms), width, past, meaning))
    share = cores(status.real_time_factor).partition(" of ")
    lines.append(
        _figure("computing", share[0], width,
                _past(source, lambda s: s.compute, 0, 1, width), f"of {share[2]}",
                WARNING if status.real_time_factor > 1 else TEXT)
    )  # fmt: skip
    return lines


def _transit_ms(sample: HealthSample) -> float:
    """From the engine to here; beyond a minute the two machines' clocks disagree."""
    return sample.transit_ms if sample.transit_ms < 60_000 else 0.0


def _no_past(width: int) -> Line:
    """As wide as the past of a figure."""
    return blank(_cells(width))


def _lost(view: View, source: SourceState, status: Status, width: int) -> list[Line]:
    gone = source.connection(view.now) is Connection.GONE
    lines = [heading("lost", "as far as is known" if gone else "", width)]
    dropped_s = seconds_of(status, status.dropped)
    figures = [
        ("dropped", duration(dropped_s) if dropped_s else "none", bool(dropped_s),
         "never analysed: this machine was too busy"),
        ("overruns", str(status.xruns or "none"), bool(status.xruns),
         "the audio system lost sound"),
        ("messages", str(view.state.lost or "none"), bool(view.state.lost),
         "lost between the engine and here"),
    ]  # fmt: skip
    if status.nonfinite:
        figures.append(("bad", str(status.nonfinite), True, "samples that are no numbers"))
    if view.state.unreadable:
        figures.append(("unreadable", str(view.state.unreadable), True, "messages"))
    for name, value, bad, remark in figures:
        lines.append(
            _figure(name, value, width, None, remark if bad else "", WARNING if bad else TEXT)
        )
    if status.drift_ppm is not None:
        a_day = abs(status.drift_ppm) * 1e-6 * SECONDS_OF_A_DAY
        way = "fast" if status.drift_ppm > 0 else "slow"
        lines.append(_figure("clock", f"{a_day:.1f} s", width, None, f"{way} in a day"))
    return lines


def _identity(view: View, source: SourceState, width: int) -> list[Line]:
    state, hello = view.state, view.state.hello
    lines = [heading("engine", "", width)]
    if info := state.info(source.name):
        device = f", from {info.device}" if info.device else ""
        lines += wrapped(f"{source.name}: {input_text(info)}{device}", TEXT, width)
    if hello:
        rate = counted(round(1 / hello.hop_s), "time") if hello.hop_s else ""
        text = (
            f"model {hello.model.name} {hello.model.version} on {hello.compute}, {rate} a second, "
            f"in the light of {counted(hello.nodes, 'second')}; mmgat-stream {hello.version}"
        )
        lines += wrapped(text, MUTED, width)
    return [*lines, *wrapped(state.address, BRIGHT, width)]
