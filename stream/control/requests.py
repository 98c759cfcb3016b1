"""What may be asked of an engine, what it answers, and one pair of functions between both and bytes.

A request is one map: ``request`` names it, its fields follow. The answer is one map, too: ``ok``,
then ``result`` or ``error``. Both are msgpack; where a request is JSON, so is its answer.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final, Literal

import msgspec

from mmgat.stream.bus.messages import Hello, Mark, Status
from mmgat.stream.bus.validation import decode, guarded, plain, printable
from mmgat.stream.errors import ProtocolError

MAX_REQUEST_BYTES: Final = 16_384
MAX_MARK: Final = 200
"""Characters of a mark's text."""

_JSON_BEGINS: Final = b"{"
"""As a msgpack value it would be the number 123, which is no map."""


class Request(msgspec.Struct, frozen=True, tag_field="request", forbid_unknown_fields=True):
    """Base of all requests.

    Attributes:
        changes: it changes something, or only asks.
    """

    changes: ClassVar[bool] = True


class Describe(Request, frozen=True, tag="describe"):
    """Asks who speaks, and how it decides now; the answer is a ``Description``."""

    changes: ClassVar[bool] = False


class Statistics(Request, frozen=True, tag="statistics"):
    """Asks for all counters; the answer is ``Counters``."""

    changes: ClassVar[bool] = False


class SetThresholds(Request, frozen=True, tag="thresholds"):
    """Sets thresholds of labels; the answer is the ``Decision``.

    Attributes:
        thresholds: label -> score from 0 to 1, or None for the model's own.
    """

    thresholds: dict[str, float | None]


class SetSensitivity(Request, frozen=True, tag="sensitivity"):
    """Sets how readily instruments are named; the answer is the ``Decision``.

    Thresholds that were set one by one stay.
    """

    sensitivity: Literal["low", "normal", "high"]


class Mute(Request, frozen=True, tag="mute"):
    """Names these labels no more; what of them is on ends. The answer is the ``Decision``."""

    labels: list[str]


class Unmute(Request, frozen=True, tag="unmute"):
    """Names these labels again; the answer is the ``Decision``."""

    labels: list[str]


class Pause(Request, frozen=True, tag="pause"):
    """Recognises a source no more; what is on ends. The answer is a ``SourceState``.

    A device or a file at its own pace goes on meanwhile, and its sound is discarded; a pipe or a
    file at full speed waits.
    """

    source: str


class Resume(Request, frozen=True, tag="resume"):
    """Recognises a source again; the answer is a ``SourceState``."""

    source: str


class MarkMoment(Request, frozen=True, tag="mark"):
    """Marks this moment: a ``Mark`` goes to the bus, the JSON lines and the log of recordings.

    The answer is that mark.
    """

    text: str = ""


AnyRequest = (
    Describe
    | Statistics
    | SetThresholds
    | SetSensitivity
    | Mute
    | Unmute
    | Pause
    | Resume
    | MarkMoment
)


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
    """One source."""

    source: str
    paused: bool


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


Result = Decision | SourceState | Description | Counters | Mark


REQUESTS: Final[dict[str, type[Request]]] = {
    str(kind.__struct_config__.tag): kind for kind in AnyRequest.__args__
}
"""Name of a request -> its type."""

_encoder: Final = msgspec.msgpack.Encoder()
_json: Final = msgspec.json.Encoder()


def encode_request(request: Request) -> bytes:
    """A request as bytes."""
    return _encoder.encode(request)


def decode_request(payload: bytes) -> Request:
    """The request in bytes of msgpack or JSON.

    Raises:
        ProtocolError: whatever else it is.
    """
    fields = _fields_of(payload)
    name = fields.get("request")
    if not isinstance(name, str) or name not in REQUESTS:
        raise ProtocolError(f"expected a request of {', '.join(REQUESTS)}, found {name!r}")
    kind = REQUESTS[name]
    try:
        request: Request = guarded(lambda: msgspec.convert(fields, kind))
    except ProtocolError as error:
        wanted = ", ".join(f.name for f in msgspec.structs.fields(kind)) or "no fields"
        raise ProtocolError(f"expected {wanted} with {name}, found a fault: {error}") from None
    return request


def is_json(payload: bytes) -> bool:
    """Whether a request is JSON, and its answer is to be."""
    return payload.lstrip()[:1] == _JSON_BEGINS


def _fields_of(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_REQUEST_BYTES:
        raise ProtocolError(
            f"expected a request of at most {MAX_REQUEST_BYTES} bytes, found {len(payload)}"
        )
    if not is_json(payload):
        return decode(payload)
    try:
        return plain(json.loads(payload))
    except ProtocolError:
        raise
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"expected JSON, found {printable(str(error))}") from None


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
