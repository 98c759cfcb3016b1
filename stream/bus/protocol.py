"""The bus: message types, topics, and one pair of functions between messages and frames.

A message travels as two ZeroMQ frames, the topic and a msgpack map of the fields below, so any
language reads it without this package. Topics are prefixes that end in a slash:

    mmgat/v2/hello/              who speaks: model, labels, thresholds
    mmgat/v2/estimate/<source>/  one a window
    mmgat/v2/event/<source>/     an instrument begins or ends
    mmgat/v2/graph/<source>/     one a window, while somebody subscribes to it: the instance graph
    mmgat/v2/mark/               somebody marked a moment
    mmgat/v2/status/             once a second: counters, lag, level
    mmgat/v2/lifecycle/          an engine starts or ends

``session`` is new with every start of the engine. ``seq`` counts up by one within a topic, so a
subscriber sees what it lost. Newcomers get what they missed again, marked ``replayed``. Fields and
topics may be added within v2; readers ignore those they do not know.
"""

from __future__ import annotations

from typing import Final

import msgspec

from mmgat.stream.bus.messages import (
    Estimate,
    Event,
    Graph,
    Hello,
    Lifecycle,
    Mark,
    Message,
    ModelInfo,
    SourceInfo,
    Status,
)
from mmgat.stream.bus.validation import MAX_TEXT, decode, guarded, printable
from mmgat.stream.errors import ProtocolError

PREFIX: Final = "mmgat/v2/"
HELLO_TOPIC: Final = PREFIX + "hello/"
STATUS_TOPIC: Final = PREFIX + "status/"
GRAPH_TOPICS: Final = PREFIX + "graph/"
MARK_TOPIC: Final = PREFIX + "mark/"
LIFECYCLE_TOPIC: Final = PREFIX + "lifecycle/"

__all__ = [
    "GRAPH_TOPICS",
    "HELLO_TOPIC",
    "LIFECYCLE_TOPIC",
    "MARK_TOPIC",
    "PREFIX",
    "STATUS_TOPIC",
    "Estimate",
    "Event",
    "Graph",
    "Hello",
    "Lifecycle",
    "Mark",
    "Message",
    "ModelInfo",
    "SourceInfo",
    "Status",
    "from_frames",
    "kind_of",
    "to_frames",
    "to_json",
    "topic_of",
    "without_evidence",
]

_KINDS: Final[dict[str, type[Message]]] = {
    "hello": Hello,
    "estimate": Estimate,
    "event": Event,
    "status": Status,
    "graph": Graph,
    "mark": Mark,
    "lifecycle": Lifecycle,
}
_encoder: Final = msgspec.msgpack.Encoder()
_json: Final = msgspec.json.Encoder()


def topic_of(message: Message) -> str:
    """The topic a message goes out on."""
    match message:
        case Hello():
            return HELLO_TOPIC
        case Status():
            return STATUS_TOPIC
        case Estimate(source=source):
            return f"{PREFIX}estimate/{source}/"
        case Event(source=source):
            return f"{PREFIX}event/{source}/"
        case Graph(source=source):
            return f"{GRAPH_TOPICS}{source}/"
        case Mark():
            return MARK_TOPIC
        case Lifecycle():
            return LIFECYCLE_TOPIC
    raise ProtocolError(f"expected a message of this protocol, found {type(message).__name__}")


def without_evidence(estimate: Estimate) -> Estimate:
    """The estimate without evidence and its sums, the bag scores: a quarter of its bytes."""
    return msgspec.structs.replace(estimate, evidence={}, evidence_t0=[], bag_scores={})


def to_frames(message: Message) -> list[bytes]:
    """A message as [topic, msgpack map]."""
    return [topic_of(message).encode(), _encoder.encode(message)]


def from_frames(frames: list[bytes]) -> Message | None:
    """The message in [topic, msgpack map]; None for a kind that a newer engine may send.

    Numbers are finite and in range, texts have their control characters escaped.

    Raises:
        ProtocolError: anything else, whatever a peer sends; no other exception.
    """
    if len(frames) != 2:
        raise ProtocolError(f"expected 2 frames (topic, message), found {len(frames)}")
    kind = kind_of(frames[0])
    if kind not in _KINDS:
        return None
    try:
        fields = decode(frames[1])
        message: Message = guarded(lambda: msgspec.convert(fields, _KINDS[kind]))
    except ProtocolError as error:
        raise ProtocolError(f"damaged message of kind {kind}: {error}") from None
    return message


def kind_of(topic: bytes) -> str:
    """The word after the prefix: hello, estimate, event, status, or one of a newer protocol.

    Raises:
        ProtocolError: the topic is not under this protocol's prefix.
    """
    text = printable(topic[:MAX_TEXT].decode("utf-8", "replace"))
    if not text.startswith(PREFIX):
        raise ProtocolError(f"expected a topic under {PREFIX!r}, found {text!r}")
    return text.removeprefix(PREFIX).partition("/")[0]


def to_json(message: Message) -> str:
    """A message as one line of JSON, its type first; what only a publisher fills in may be absent."""
    fields = {"type": type(message).__name__.lower()} | msgspec.to_builtins(message)
    if not message.session:
        for name in Message.__struct_fields__:
            del fields[name]
    return _json.encode(fields).decode()
