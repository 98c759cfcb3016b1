"""Decoding of untrusted bytes: whatever a peer sends gives a plain message or a ProtocolError."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import msgspec

from mmgat.stream.errors import ProtocolError

MAX_MESSAGE_BYTES: Final = 1 << 20
"""Bound of a frame; an estimate of 20 labels and 60 nodes has 15,000 bytes."""

MAX_ITEMS: Final = 1024
"""Bound of a list or map: labels, nodes, sources."""

MAX_TEXT: Final = 1000
"""Characters of a text; a longer one is cut."""

MAX_DEPTH: Final = 6
"""Lists and maps within each other; the protocol needs four."""

_ANY: Final = (-1e15, 1e15)
_SHARE: Final = (-0.001, 1.001)  # attention times score is a 32-bit product
_STREAM_TIME: Final = (-1e9, 1e9)
_RANGES: Final[dict[str, tuple[float, float]]] = {
    "time": (0, 1e11),
    "seq": (0, 2**53),
    "t0": _STREAM_TIME,
    "t1": _STREAM_TIME,
    "time_s": _STREAM_TIME,
    "onset_s": _STREAM_TIME,
    "evidence_t0": _STREAM_TIME,
    "uptime_s": _STREAM_TIME,
    "times_s": _STREAM_TIME,
    "lost_s": _STREAM_TIME,
    "sinks_dropped_s": _STREAM_TIME,
    "started_at": (0, 1e11),
    "similarity": (-1.001, 1.001),
    "neighbours": (0, MAX_ITEMS),
    "hop_s": (0.001, 3600),
    "nodes": (1, 10_000),
    "sample_rate_hz": (1, 1e8),
    "channels": (1, 4096),
    "level_dbfs": (-1000, 1000),
    "levels_dbfs": (-1000, 1000),
    "clipped_channels": (0, 2**63),
    "score": _SHARE,
    "scores": _SHARE,
    "bag_scores": _SHARE,
    "evidence": _SHARE,
    "thresholds": _SHARE,
    "lost_share": _SHARE,
}
_decoder: Final = msgspec.msgpack.Decoder()


def decode(payload: bytes) -> dict[str, Any]:
    """The msgpack map in ``payload``, with finite numbers in range and texts safe to print.

    Raises:
        ProtocolError: whatever else it is; no other exception leaves this function.
    """
    if len(payload) > MAX_MESSAGE_BYTES:
        raise ProtocolError(f"expected at most {MAX_MESSAGE_BYTES} bytes, found {len(payload)}")
    try:
        return plain(_decoder.decode(payload))
    except ProtocolError:
        raise
    except Exception as error:  # damaged UTF-8, nesting, keys: a peer has many ways
        raise ProtocolError(f"expected msgpack, found {printable(str(error))}") from None


def plain(found: object) -> dict[str, Any]:
    """A decoded map, with finite numbers in range and texts safe to print.

    Raises:
        ProtocolError: it is no map, or a value is none of this protocol.
    """
    if not isinstance(found, dict):
        raise ProtocolError(f"expected a map, found {type(found).__name__}")
    return {printable(str(name)): _plain(value, str(name)) for name, value in found.items()}


def guarded(convert: Callable[[], Any]) -> Any:
    """The result of ``convert``; any failure becomes a ProtocolError."""
    try:
        return convert()
    except Exception as error:
        raise ProtocolError(printable(str(error))) from None


def printable(text: str) -> str:
    """The text with control characters escaped and a bounded length: safe on any terminal."""
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 1] + "…"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _plain(value: object, field: str, depth: int = 1) -> object:
    """The value with every number checked and every text made printable."""
    match value:
        case bool() | None:
            return value
        case int() | float():
            low, high = _RANGES.get(field, _ANY)
            if not (math.isfinite(value) and low <= value <= high):
                raise ProtocolError(
                    f"expected {printable(field)} from {low:g} to {high:g}, found {value:g}"
                )
            return value
        case str():
            return printable(value)
        case list() | dict():
            if len(value) > MAX_ITEMS:
                raise ProtocolError(
                    f"expected at most {MAX_ITEMS} {printable(field)}, found {len(value)}"
                )
            if depth > MAX_DEPTH:
                raise ProtocolError(f"expected at most {MAX_DEPTH} levels in {printable(field)}")
            if isinstance(value, list):
                if _all_floats_within(value, *_RANGES.get(field, _ANY)):
                    return value  # the nodes' evidence, most of an estimate, at a third of the cost
                return [_plain(item, field, depth + 1) for item in value]
            # Within a map of values by label, the field's name decides; in a structure, its own.
            own = field if field in _RANGES else ""
            return {
                printable(str(name)): _plain(item, own or str(name), depth + 1)
                for name, item in value.items()
            }
    return None  # bytes, extensions, timestamps: nothing that this protocol has


def _all_floats_within(values: list[Any], low: float, high: float) -> bool:
    return (
        set(map(type, values)) == {float}
        and math.isfinite(math.fsum(values))  # a NaN hides from min and max
        and low <= min(values)
        and max(values) <= high
    )
