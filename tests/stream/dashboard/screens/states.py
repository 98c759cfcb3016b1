"""The named states that screens are pictured in."""

from __future__ import annotations

import msgspec

from mmgat.model.labels import LABELS
from mmgat.stream.bus.protocol import Graph, Message, SourceInfo
from tests.stream.dashboard.builders import MIC, UNIX, estimate, event, hello, status


def at(second: float, *messages: Message) -> list[tuple[float, Message]]:
    """Messages that arrive in that second of the stream, with its time of day."""
    time = UNIX + 1000 + second
    return [(second, msgspec.structs.replace(message, time=time)) for message in messages]


def play(
    until: int, parts: dict[str, tuple[float, float]], **changes: object
) -> list[tuple[float, Message]]:
    """Estimates and events of instruments that sound from a second to another."""
    told = at(0, hello())
    for half in range(2, 2 * until + 1):
        t = half / 2
        for label, (begin, end) in parts.items():
            if t == begin + 0.5:
                told += at(t, event("on", label, t, begin, seq=half))
            if t == end + 0.5:
                told += at(t, event("off", label, t, begin, seq=half))
        on = tuple(k for k, (begin, end) in parts.items() if begin < t <= end)
        told += at(t, estimate(t, on, latency_ms=20.0, **changes))  # type: ignore[arg-type]
        if half % 2 == 0:
            told += at(t, status(seq=half, captured=48000 * half // 2, queued=0))
    return told


def graph(n: int = 10) -> Graph:
    """Seconds that are the more alike the nearer they are."""
    nodes = range(n)
    similarity = [[1 - abs(a - b) / n for b in nodes] for a in nodes]
    return Graph(
        session="a",
        source=MIC,
        index=0,
        times_s=[float(a) for a in nodes],
        similarity=similarity,
        neighbours={
            "temporal-1": [[b for b in nodes if abs(a - b) == 1] for a in nodes],
            "near-3": [[b for b in nodes if 0 < abs(a - b) < 3] for a in nodes],
            "wide-0.1": [[b for b in nodes if a != b] for a in nodes],
        },
    )


SOLO = {"violin": (2.0, 99.0)}
BAND = {
    "piano": (1.0, 99.0), "drums": (4.0, 99.0), "bass": (6.0, 99.0), "voice": (9.0, 17.0),
    "guitar": (18.0, 99.0),
}  # fmt: skip

QUIET_ROOM = play(8, {}, silent=True, level_dbfs=-72.0, scores=dict.fromkeys(LABELS, 0.0))
NEAR_MISS = [
    *play(20, SOLO),
    *at(20.5, estimate(20.5, ("violin",), near_misses=["cello"],
                       scores=dict.fromkeys(LABELS, 0.05) | {"violin": 0.9, "cello": 0.45})),
]  # fmt: skip
DROPS = [
    *play(20, SOLO),
    *at(21, status(seq=99, captured=48000 * 21, dropped=57600, xruns=2, clipped=7, queued=0,
                   clipped_channels=[7, 0],
                   message="2 % of the last 5 minutes was dropped")),
]  # fmt: skip
STALE = [*play(20, SOLO), (24.0, status(seq=99, captured=48000 * 20, queued=0))]
GONE = [*play(20, SOLO), (32.0, None)]
RESTARTED = [
    *play(20, SOLO),
    *[
        (30 + second, msgspec.structs.replace(message, session="b", time=UNIX + 1030 + second))
        for second, message in play(12, {"cello": (2.0, 99.0)})
    ],
]
UNVERIFIED = play(20, {"banjo": (3.0, 99.0)})
EIGHT_SOURCES = [
    *at(0, hello(sources=[SourceInfo(name=f"mic {n}", kind="device", sample_rate_hz=48000,
                                     channels=1) for n in range(1, 9)])),
    *[
        pair
        for n in range(1, 9)
        for pair in at(10, estimate(10.0, ("piano",) if n % 2 else (), source=f"mic {n}",
                                    level_dbfs=-12.0 - 3 * n),
                       status(source=f"mic {n}", seq=n, captured=480_000, queued=0,
                              state="failed" if n == 8 else "running",
                              message="the device was unplugged" if n == 8 else ""))
    ],
]  # fmt: skip
ENDED = [
    *play(20, {"piano": (1.0, 8.0), "voice": (6.0, 19.0)}),
    *at(20, status(seq=99, state="ended", captured=48000 * 20, queued=0)),
]
BAND_WITH_GRAPH = [*play(24, BAND), *at(24, graph())]

STATES = {
    "quiet room": QUIET_ROOM,
    "solo": play(20, SOLO),
    "band": BAND_WITH_GRAPH,
    "near miss": NEAR_MISS,
    "drops": DROPS,
    "stale": STALE,
    "gone": GONE,
    "restarted": RESTARTED,
    "unverified": UNVERIFIED,
    "eight sources": EIGHT_SOURCES,
    "ended": ENDED,
    "no engine": [(5.0, None)],
}
