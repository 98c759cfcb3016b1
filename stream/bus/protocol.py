"""The bus: message types, topics, and one pair of functions between messages and frames.

A message travels as two ZeroMQ frames, the topic and a msgpack map of the fields below, so any
language reads it without this package. Topics are prefixes that end in a slash:

    mmgat/v2/hello/              who speaks: model, labels, thresholds
    mmgat/v2/estimate/<source>/  one a window
    mmgat/v2/event/<source>/     an instrument begins or ends
    mmgat/v2/status/             once a second: counters, lag, level

``session`` is new with every start of the engine. ``seq`` counts up by one within a topic, so a
subscriber sees what it lost. Newcomers get what they missed again, marked ``replayed``. Fields and
topics may be added within v2; readers ignore those they do not know.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from mmgat.stream.audio.liveness import LivenessState
from mmgat.stream.bus.validation import MAX_TEXT, decode, guarded, printable
from mmgat.stream.errors import ProtocolError

PREFIX: Final = "mmgat/v2/"
HELLO_TOPIC: Final = PREFIX + "hello/"
STATUS_TOPIC: Final = PREFIX + "status/"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What every message carries; the publisher fills it in.

    Attributes:
        session: identifies one run of the engine.
        seq: counts from 0 within a topic.
        time: Unix seconds when it was published.
        replayed: sent before, and again for a newcomer; ``seq`` and ``time`` are the first ones.
    """

    session: str = ""
    seq: int = 0
    time: float = 0.0
    replayed: bool = False


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Which model speaks.

    Attributes:
        thresholds: of the labels that may be named, as the user's settings have them; a label
            without one is never named.
        unverified: labels without recorded training data.
    """

    name: str
    version: str
    embedder: str
    variant: str
    thresholds: dict[str, float]
    unverified: list[str] = []


class SourceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One audio input: ``kind`` is device, file or stdin."""

    name: str
    kind: str
    sample_rate_hz: int
    channels: int


class Hello(Message, frozen=True, kw_only=True):
    """Sent at the start and again whenever somebody subscribes.

    Example::

        for message in subscriber:
            if isinstance(message, Hello):
                print(message.model.name, [source.name for source in message.sources])
    """

    version: str
    model: ModelInfo
    labels: list[str]
    sources: list[SourceInfo]
    hop_s: float
    nodes: int
    compute: str = "cpu"


class Estimate(Message, frozen=True, kw_only=True):
    """What one window says.

    Example::

        for message in subscriber:
            if isinstance(message, Estimate):
                print(message.t0, message.active)

    Attributes:
        t0, t1: seconds of the window in the stream.
        scores: label -> 0..1, what sounds now: the newest second in the light of the graph.
        bag_scores: label -> 0..1, what sounded in the graph's seconds.
        active: labels that are on, by the last windows together and two thresholds.
        near_misses: labels that are not on, with a score above their lower threshold.
        evidence: label -> attention times score of every node; ``evidence_t0`` has their starts.
        level_dbfs: RMS level of the window; silence is -200.
        silent: the level lies below the gate, so all scores are 0.
        partial: less than a second of sound, padded with zeros (a short file, or its tail).
        warming_up: too few windows so far for events.
        latency_ms: from the last sample heard until this estimate; 0 where nothing is live.
    """

    source: str
    index: int
    t0: float
    t1: float
    scores: dict[str, float]
    bag_scores: dict[str, float]
    active: list[str]
    evidence: dict[str, list[float]]
    evidence_t0: list[float]
    level_dbfs: float
    near_misses: list[str] = []
    silent: bool = False
    partial: bool = False
    warming_up: bool = False
    latency_ms: float = 0.0


class Event(Message, frozen=True, kw_only=True):
    """An instrument begins (``on``) or has ended (``off``); both carry the same ``id``.

    Example::

        >>> event = Event(
        ...     source="desk", event="off", id="piano-1", label="piano", time_s=9, onset_s=2, score=0.1
        ... )
        >>> event.time_s - event.onset_s
        7

    Attributes:
        time_s: when it happened, seconds in the stream.
        onset_s: when the instrument began; equals ``time_s`` for ``on``.
        score: of the estimate that decided.
    """

    source: str
    event: Literal["on", "off"]
    id: str
    label: str
    time_s: float
    onset_s: float
    score: float


class Status(Message, frozen=True, kw_only=True):
    """Counters of one source since the start, in samples of its own rate unless named otherwise.

    Always captured = analysed + dropped + discarded + queued.

    Example::

        for message in subscriber:
            if isinstance(message, Status) and message.message:
                print(message.source, message.message)

    Attributes:
        state: running, ended (the source is at its end) or failed.
        lag_ms: latency of the newest estimate.
        real_time_factor: compute time over audio time of late; above 1 is too slow.
        xruns: overflows that the audio system reported, or that the clock shows.
        longest_callback_ms: that the audio system had to wait for us.
        drift_ppm: how much faster the device's clock runs than the system's, in millionths, from
            five minutes on.
        liveness: healthy, alarmed, recovering, escalated or failed: whether audio comes.
        outages: how often it stopped coming.
        nonfinite: NaN or infinite samples, replaced by zero.
        clipped: samples at full scale.
        lost_share: of the last five minutes' audio, dropped because analysis did not keep up.
        message: the last warning in words, or "".
        sinks_dropped: output -> messages that it did not take, of all sources, where there are any.
    """

    source: str
    state: Literal["running", "ended", "failed"]
    sample_rate_hz: int
    captured: int
    analysed: int
    dropped: int
    discarded: int
    queued: int
    windows: int
    xruns: int
    nonfinite: int
    clipped: int
    lag_ms: float
    real_time_factor: float
    level_dbfs: float
    uptime_s: float
    liveness: LivenessState = LivenessState.HEALTHY
    outages: int = 0
    longest_callback_ms: float = 0.0
    drift_ppm: float | None = None
    lost_share: float = 0.0
    message: str = ""
    sinks_dropped: dict[str, int] = {}


_KINDS: Final[dict[str, type[Message]]] = {
    "hello": Hello,
    "estimate": Estimate,
    "event": Event,
    "status": Status,
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
    raise ProtocolError(f"expected a message of this protocol, found {type(message).__name__}")


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
