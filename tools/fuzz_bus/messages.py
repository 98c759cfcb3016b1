"""Frames that a hostile or broken publisher might send: valid messages with something wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from mmgat.stream.bus.protocol import (
    Estimate,
    Event,
    Hello,
    Message,
    ModelInfo,
    SourceInfo,
    Status,
    to_frames,
)

LABELS: Final = ("piano", "violin", "drums")
VALID: Final[tuple[Message, ...]] = (
    Hello(
        session="a",
        version="1",
        model=ModelInfo(
            name="m", version="1", embedder="compact", variant="1",
            thresholds=dict.fromkeys(LABELS, 0.5),
        ),
        labels=list(LABELS),
        sources=[SourceInfo(name="mic", kind="device", sample_rate_hz=48_000, channels=2)],
        hop_s=0.5,
        nodes=10,
    ),
    Estimate(
        session="a", source="mic", index=0, t0=0.0, t1=1.0, scores=dict.fromkeys(LABELS, 0.5),
        bag_scores=dict.fromkeys(LABELS, 0.25), active=["piano"],
        evidence={label: [0.25, 0.5] for label in LABELS}, evidence_t0=[0.0, 1.0], level_dbfs=-20.0,
    ),
    Event(
        session="a", source="mic", event="on", id="1", label="piano", time_s=1.0, onset_s=1.0,
        score=0.5,
    ),
    Status(
        session="a", source="mic", state="running", sample_rate_hz=48_000, captured=3, analysed=2,
        dropped=1, discarded=0, queued=0, windows=1, xruns=0, nonfinite=0, clipped=0, lag_ms=1.0,
        real_time_factor=0.1, level_dbfs=-20.0, uptime_s=1.0,
    ),
)  # fmt: skip

BAD_TEXT: Final = "\x1b[2J\x9b31m\u202e\x00\u2028[bold]"
INVALID_UTF8: Final = b"QQQQ", b"\xff\xfe\x80\xc0"


def hostile_frames(chance: random.Random) -> Iterator[list[bytes]]:
    """Frames without an end; the same for the same state of ``chance``."""
    while True:
        topic, payload = to_frames(chance.choice(VALID))
        fields: dict[str, Any] = msgspec.msgpack.decode(payload)
        for _ in range(chance.randint(1, 3)):
            _change(fields, chance)
        fields["seq"] = chance.choice((fields.get("seq"), chance.randrange(2**53)))
        payload = msgspec.msgpack.encode(fields).replace(*INVALID_UTF8)
        yield _damage(topic, payload, chance)


def _change(fields: dict[str, Any], chance: random.Random) -> None:
    """Replaces, removes or adds a value, also deep inside."""
    inside = [value for value in fields.values() if isinstance(value, dict) and value]
    target = chance.choice([fields, *inside])
    name = chance.choice(list(target) or ["new"])
    match chance.randrange(6):
        case 0:
            target.pop(name, None)
        case 1:
            target[BAD_TEXT + str(chance.random())] = _bad_value(chance)
        case _:
            target[name] = _bad_value(chance)


def _bad_value(chance: random.Random) -> object:
    return chance.choice(
        (
            float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 5e-324, 2**64 - 1, -(2**63),
            0, 1, 0.0, -1.5, True, None, "", BAD_TEXT, "x" * 5000, "QQQQ", b"\xff",
            [], {}, [None], [float("nan")] * 3, [0.5] * 5000, {"piano": float("inf")},
            {BAD_TEXT: [1e308, float("nan")]}, [[[[[[[[[]]]]]]]]], msgspec.msgpack.Ext(7, b"x"),
            [f"label {n}" for n in range(chance.choice((3, 500, 5000)))],
            str(chance.random()), "b",
        )
    )  # fmt: skip


def _damage(topic: bytes, payload: bytes, chance: random.Random) -> list[bytes]:
    """Damage to the bytes themselves, in half of the cases."""
    at = chance.randrange(len(payload) + 1)
    match chance.randrange(20):
        case 0:
            return [topic, payload[:at]]
        case 1:
            return [topic, payload[:at] + chance.randbytes(4) + payload[at + 4 :]]
        case 2:
            return [topic, payload[:at] + bytes([chance.randrange(256)]) + payload[at + 1 :]]
        case 3:
            return [topic, chance.randbytes(chance.randrange(200))]
        case 4:
            return [topic, b"\x81\xa1a" + chance.choice((b"\x91", b"\x81\xa1a")) * 20_000]
        case 5:
            return [topic[: chance.randrange(9, len(topic))] + chance.randbytes(5), payload]
        case 6:
            return [b"mmgat/v2/aurora/" + BAD_TEXT.encode(), payload]
        case 7:
            return [topic, payload, payload]
        case 8:
            return [topic]
        case 9:
            return [topic, b"\x81\xa1a\xdb\xff\xff\xff\xff" + payload]
    return [topic, payload]
