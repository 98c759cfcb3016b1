"""What a run comes to: how long each instrument sounded, where the samples went, what was wrong."""

from __future__ import annotations

from collections import defaultdict

from mmgat.stream.bus.protocol import Event, Message, Status
from mmgat.stream.sinks.base import Sink
from mmgat.stream.sinks.runner import lost_in_words


class Summary(Sink):
    """Adds up how long each instrument sounded, for the closing lines."""

    name = "summary"
    wants = (Event,)
    lossless = True

    def __init__(self) -> None:
        self._seconds: defaultdict[str, defaultdict[str, float]] = defaultdict(
            lambda: defaultdict(float)
        )

    def handle(self, message: Message) -> None:
        """Adds the duration of an instrument that has ended."""
        if isinstance(message, Event) and message.event == "off":
            self._seconds[message.source][message.label] += message.time_s - message.onset_s

    def instruments(self, source: str) -> str:
        """The instruments of a source and their seconds in words, the longest first."""
        rows = sorted(self._seconds[source].items(), key=lambda row: -row[1])
        return ", ".join(f"{label} {s:.1f} s" for label, s in rows) or "no instrument"

    def closing_line(self, status: Status) -> str:
        """One source's account, instruments and faults, from its last status."""
        rate = max(1, status.sample_rate_hz)
        text = (
            f"{status.source}: {status.captured / rate:.1f} s captured, "
            f"{status.analysed / rate:.1f} analysed, {status.dropped / rate:.1f} dropped, "
            f"{status.discarded / rate:.1f} discarded; heard {self.instruments(status.source)}"
        )
        if 0 < status.captured < rate:
            text += "; shorter than one window of 1 s: recognised padded with silence"
        if faults := _faults(status):
            text += f"; faults: {', '.join(faults)}"
        return text


def _faults(status: Status) -> list[str]:
    """What was wrong during the run, in words."""
    counts = (
        (status.outages, "outage"),
        (status.xruns, "overflow"),
        (status.nonfinite, "NaN or infinite sample"),
        (status.clipped, "clipped sample"),
    )
    faults = [f"{n} {noun}{'s' if n > 1 else ''}" for n, noun in counts if n]
    for name in {**status.sinks_dropped, **status.sinks_dropped_s}:
        lost = status.sinks_dropped.get(name, 0), status.sinks_dropped_s.get(name, 0.0)
        faults.append(f"{' and '.join(lost_in_words(*lost))} lost by output {name}")
    return faults
