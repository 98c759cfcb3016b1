"""What an engine answers, and one pair of functions between that and bytes."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from mmgat.stream.bus.messages import Hello, Mark, Status
from mmgat.stream.bus.validation import decode
from mmgat.stream.errors import ProtocolError


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """How labels are named now.

    Attributes:
        sensitivity: low, normal or high.
        thresholds: of the labels that may be named.
        set: those that were set one by one, by a request or by settings.
        muted: labels that are never named, by a request or by settings.
    """

    sensitivity: Literal["low", "normal", "high"]
    thresholds: dict[str, float]
    set: dict[str, float]
    muted: list[str]


class SourceState(msgspec.Struct, frozen=True, kw_only=True):
    """One source.

    Attributes:
        source: its name.
        paused: whether it is paused.
        device: that it listens to, in full; "" of a file or pipe.
    """

    source: str
    paused: bool
    device: str = ""


class DeviceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One input device.

    Attributes:
        name: in full, as requests take it.
        channels, sample_rate_hz: that it offers.
        loopback: it records what the machine itself plays.
    """

    name: str
    channels: int
    sample_rate_hz: int
    loopback: bool


class DeviceList(msgspec.Struct, frozen=True, kw_only=True):
    """The input devices of the engine's machine, as its audio system listed them last."""

    devices: list[DeviceInfo]


class DeviceLevel(msgspec.Struct, frozen=True, kw_only=True):
    """How loud a device is.

    Attributes:
        device: its name.
        level_dbfs: of the last second; None until the first sound is here.
    """

    device: str
    level_dbfs: float | None


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """Who speaks, and how it decides now.

    Attributes:
        hello: as on the bus.
        decision: how labels are named now.
        sources: all of them.
        requests: names of the requests that are understood.
    """

    hello: Hello
    decision: Decision
    sources: list[SourceState]
    requests: list[str]


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """All counters of a run.

    Attributes:
        statuses: of all sources.
        readers: that are connected to the publisher.
        refused: readers whose connection was ended, or whose key is unknown.
        published: messages handed to the publisher.
        requests: that were answered.
        faults: requests that were refused.
    """

    statuses: list[Status]
    readers: int
    refused: int
    published: int
    requests: int
    faults: int


Result = Decision | SourceState | Description | Counters | DeviceList | DeviceLevel | Mark

_encoder: Final = msgspec.msgpack.Encoder()
_json: Final = msgspec.json.Encoder()


def encode_answer(result: Result | ProtocolError, *, as_json: bool = False) -> bytes:
    """An answer as bytes: a result, or the fault in words."""
    answer = (
        {"ok": False, "error": str(result)}
        if isinstance(result, ProtocolError)
        else {"ok": True, "result": result}
    )
    return (_json if as_json else _encoder).encode(answer)


def decode_answer(payload: bytes) -> dict[str, Any]:
    """The result in an answer, as a map.

    Raises:
        ProtocolError: what the engine says against the request, or no answer at all.
    """
    answer = decode(payload)
    if answer.get("ok") is not True:
        error = answer.get("error")
        raise ProtocolError(str(error) if error else "expected an answer, found no such map")
    result = answer.get("result")
    if not isinstance(result, dict):
        raise ProtocolError("expected an answer with a result, found none")
    return result
