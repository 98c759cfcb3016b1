"""The messages of the bus as types; ``protocol.py`` has their topics and their bytes."""

from __future__ import annotations

from typing import Literal

import msgspec

from mmgat.stream.audio.liveness import LivenessState


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
    """One audio input: ``kind`` is device, file or stdin.

    Attributes:
        host, session: behind a proxy, the machine and the session of its engine; else "".
        device: that it was switched to since the start, or "".
    """

    name: str
    kind: str
    sample_rate_hz: int
    channels: int
    host: str = ""
    session: str = ""
    device: str = ""


class Hello(Message, frozen=True, kw_only=True):
    """Sent at the start and again whenever somebody subscribes.

    Example::

        for message in subscriber:
            if isinstance(message, Hello):
                print(message.model.name, [source.name for source in message.sources])

    Attributes:
        host: name of the engine's machine.
        security: ``local`` (this machine only), ``curve`` (encrypted, known readers only) or
            ``none`` (other machines may read, nothing is encrypted); "" if nothing is published.
        control: address of the control endpoint, or "".
    """

    version: str
    model: ModelInfo
    labels: list[str]
    sources: list[SourceInfo]
    hop_s: float
    nodes: int
    compute: str = "cpu"
    host: str = ""
    security: Literal["", "local", "curve", "none"] = ""
    control: str = ""


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
        lost_s: of the source's time, missed because the device or its driver lost it, by the clock.
        paused: somebody paused the source by the control endpoint.
        capture_ms: what the device takes until a sample is here, as its driver says; not in the lag.
        queue_ms, compute_ms: of the lag, what the newest window waited, and what its recognition took.
        levels_dbfs: RMS level of every channel in the last second, of the first 64.
        clipped_channels: samples at full scale of each of these channels.
        message: the last warning in words, or "".
        sinks_dropped: output -> messages that it did not take, of all sources, where there are any.
        sinks_dropped_s: output -> seconds of sound that it did not take, likewise.
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
    lost_s: float = 0.0
    paused: bool = False
    capture_ms: float = 0.0
    queue_ms: float = 0.0
    compute_ms: float = 0.0
    levels_dbfs: list[float] = []
    clipped_channels: list[int] = []
    sinks_dropped_s: dict[str, float] = {}


class Graph(Message, frozen=True, kw_only=True):
    """The instance graph that an estimate was read from; sent while somebody subscribes to it.

    Example::

        with Subscriber(address, ("mmgat/v2/graph/",)) as subscriber:
            for graph in subscriber:
                print(graph.times_s, graph.similarity)

    Attributes:
        index: of the estimate.
        times_s: starts of the N nodes, oldest first, seconds in the stream.
        similarity: N lists of N numbers from -1 to 1, symmetric.
        neighbours: scale, such as ``near-3`` -> for each node the positions of its neighbours in
            these lists, without itself.
    """

    source: str
    index: int
    times_s: list[float]
    similarity: list[list[float]]
    neighbours: dict[str, list[list[int]]]


class Mark(Message, frozen=True, kw_only=True):
    """A moment that somebody marked, by the control endpoint.

    Example::

        for message in subscriber:
            if isinstance(message, Mark):
                print(message.text, message.times_s)

    Attributes:
        text: what the mark says.
        times_s: source -> second of its stream at that moment.
    """

    text: str
    times_s: dict[str, float]


class Lifecycle(Message, frozen=True, kw_only=True):
    """An engine starts or ends: the first and the last message of a session.

    A new ``started`` from the same ``host`` and ``address`` is a restart: what an older session of
    theirs said is over.

    Example::

        for message in subscriber:
            if isinstance(message, Lifecycle):
                print(message.host, message.state)

    Attributes:
        host: name of the machine.
        address: that it publishes on.
        started_at: Unix seconds.
    """

    state: Literal["started", "ended"]
    host: str
    address: str
    started_at: float
