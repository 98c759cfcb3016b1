"""What may be asked of an engine, and one pair of functions between that and bytes.

A request is one map: ``request`` names it, its fields follow. The answer is one map, too: ``ok``,
then ``result`` or ``error``. Both are msgpack; where a request is JSON, so is its answer.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final, Literal

import msgspec

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


class Devices(Request, frozen=True, tag="devices"):
    """Asks which input devices the engine's machine has; the answer is ``DeviceList``."""

    changes: ClassVar[bool] = False


class Listen(Request, frozen=True, tag="listen"):
    """Asks how loud a device is that is not recognised; the answer is a ``DeviceLevel``.

    The device is open until two seconds after the last such request; one at a time.
    """

    device: str
    changes: ClassVar[bool] = False


class Switch(Request, frozen=True, tag="switch"):
    """Recognises another device in place of a source's; the answer is a ``SourceState``.

    The source keeps its name, its rate and its channels; what is on ends.
    """

    source: str
    device: str


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
    | Devices
    | Listen
    | Switch
    | MarkMoment
)


REQUESTS: Final[dict[str, type[Request]]] = {
    str(kind.__struct_config__.tag): kind for kind in AnyRequest.__args__
}
"""Name of a request -> its type."""

_encoder: Final = msgspec.msgpack.Encoder()


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
