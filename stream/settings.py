"""Settings of the live path: typed values with their ranges, defaults and meaning.

A settings class checks its values whenever one is made, so a range holds wherever a value comes
from: a program, a file, the environment or a flag (``settings_layers.py`` reads the last three).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from mmgat.stream.setting_types import SettingsGroup

HOPS_S: Final = (0.25, 0.5, 1.0)
LIVE_HOP_S: Final = 0.25
"""Of ``mmgat-stream``, which names an instrument the sooner; files are tagged as well at 0.5."""
MAX_NODES: Final = 60
DEFAULT_ADDRESS: Final = "tcp://127.0.0.1:5550"


def _about(description: str, **limits: Any) -> Meta:
    return Meta(description=description, **limits)


class DecisionSettings(SettingsGroup, frozen=True):
    """When an instrument counts as sounding.

    Example::

        >>> settings = StreamSettings(decision=DecisionSettings(off_ratio=0.7, silence_dbfs=-50))
    """

    sensitivity: Annotated[
        Literal["low", "normal", "high"],
        _about("How readily instruments are named: low is rarely wrong, high rarely misses one."),
    ] = "normal"
    threshold: Annotated[
        tuple[str, ...],
        _about("A label's own threshold, such as piano=0.4; several times for several."),
    ] = ()
    labels: Annotated[str, _about("Name only these labels: piano,voice.")] = ""
    exclude: Annotated[str, _about("Never name these labels: drums,cymbals.")] = ""
    n_windows: Annotated[
        int,
        _about(
            "Windows that decide together: their mean log-odds reach the threshold before 'on', "
            "and at least as many in a row lie below the lower one before 'off'.",
            ge=1,
            le=100,
        ),
    ] = 2
    off_ratio: Annotated[
        float, _about("The lower threshold, as a share of the label's threshold.", gt=0, le=1)
    ] = 0.75
    off_s: Annotated[
        float, _about("Seconds below the lower threshold before 'off'.", ge=0, le=60)
    ] = 1.0
    silence_dbfs: Annotated[
        float, _about("Windows with a lower RMS level name no instrument.", ge=-200, le=0)
    ] = -60.0
    warm_up_windows: Annotated[
        int, _about("Windows without events at the start and after a gap.", ge=0, le=1000)
    ] = 1


class LivenessSettings(SettingsGroup, frozen=True):
    """When a live source counts as lost, and how it is opened again."""

    alarm_s: Annotated[
        float, _about("Seconds without frames before the alarm.", gt=0, le=86_400)
    ] = 3.0
    first_pause_s: Annotated[
        float,
        _about("Seconds before the second attempt to open; each pause doubles.", ge=0, le=3_600),
    ] = 0.5
    longest_pause_s: Annotated[
        float, _about("The longest pause between two attempts, in seconds.", ge=0, le=86_400)
    ] = 5.0
    escalate_s: Annotated[
        float, _about("Seconds without frames before the loss counts as lasting.", gt=0, le=864_000)
    ] = 60.0
    exit_on_loss: Annotated[
        bool, _about("End when the device is lost, instead of waiting for it.")
    ] = False


class RecordSettings(SettingsGroup, frozen=True):
    """Which sound is kept, and how much of it."""

    folder: Annotated[
        Path | None,
        _about("Keep sound around the events, and a log of them; nothing is kept otherwise."),
    ] = None
    before_s: Annotated[
        float, _about("Seconds kept before an instrument begins.", ge=0, le=600)
    ] = 3.0
    after_s: Annotated[
        float, _about("Seconds kept after the last one has ended.", ge=0, le=600)
    ] = 2.0
    longest_s: Annotated[
        float, _about("Seconds after which a clip goes on in another file.", ge=1, le=86_400)
    ] = 60.0
    limit_gb: Annotated[
        float,
        _about(
            "Disk for all recordings and logs in that folder; the oldest go.", gt=0, le=1_000_000
        ),
    ] = 1.0
    spare_gb: Annotated[
        float, _about("Disk that is left to others; no clip begins with less.", ge=0, le=1_000_000)
    ] = 0.2


class StreamSettings(SettingsGroup, frozen=True):
    """The shape of the stream.

    Example::

        >>> StreamSettings(hop_s=0.25, nodes=20).decision.off_ratio
        0.75
    """

    hop_s: Annotated[
        float,
        _about(
            "Seconds between windows: 0.25, 0.5 or 1.",
            ge=HOPS_S[0],
            le=HOPS_S[-1],
            extra={"choices": HOPS_S},
        ),
    ] = 0.5
    nodes: Annotated[
        int, _about(f"Seconds in the instance graph, 1 to {MAX_NODES}.", ge=1, le=MAX_NODES)
    ] = 10
    queue_hops: Annotated[
        float,
        _about(
            "Hops of audio that may wait for analysis before the oldest are dropped, so that the "
            "newest estimate is never older than that and the time it takes to compute.",
            ge=1,
            le=1000,
        ),
    ] = 2.0
    queue_s: Annotated[
        float,
        _about("Seconds of a live source that may wait for one round of analysis.", ge=1, le=600),
    ] = 10.0
    warn_stalled_s: Annotated[
        float,
        _about("Seconds without an answer of the audio system before a warning.", ge=1, le=3600),
    ] = 10.0
    warn_zeros_s: Annotated[
        float, _about("Seconds of exact zeros from a device before a warning.", ge=1, le=86_400)
    ] = 10.0
    warn_dropped: Annotated[
        float,
        _about("Share of the last five minutes' audio whose loss needs advice.", gt=0, le=1),
    ] = 0.1
    decision: DecisionSettings = DecisionSettings()


class ModelSettings(SettingsGroup, frozen=True):
    """Which model recognises, and where it computes."""

    model: Annotated[str, _about("Model, or a checkpoint's path.", min_length=1)] = "compact"
    weights: Annotated[
        Path | None, _about("VGGish's published weights, if not in torch.hub's cache.")
    ] = None
    compute: Annotated[
        Literal["auto", "cpu", "cuda", "mps"],
        _about("Where the model computes: auto is the fastest that there is."),
    ] = "auto"
    compute_device: Annotated[
        str, _about("Which one, if there are several: cuda:1. It overrides --compute.")
    ] = ""

    @property
    def where(self) -> str:
        """The compute device that is asked for, such as ``auto`` or ``cuda:1``."""
        return self.compute_device or self.compute


class InputSettings(SettingsGroup, frozen=True):
    """What is listened to: devices and files, or standard input, or the bundled clip."""

    device: Annotated[
        tuple[str, ...],
        _about(
            "Audio input: number, name or part of it; several times for several.",
            extra={
                "hint": "numbers change when devices come and go; --list-devices shows the names"
            },
        ),
    ] = ()
    file: Annotated[
        tuple[str, ...], _about("Recognise an audio file; several times for several.")
    ] = ()
    source: Annotated[
        tuple[str, ...],
        _about("A source of another package (entry point mmgat.sources), and its argument."),
    ] = ()
    stdin: Annotated[bool, _about("Raw PCM from standard input.")] = False
    demo: Annotated[bool, _about("Recognise a bundled clip; no microphone needed.")] = False
    rate: (
        Annotated[int, _about("Sampling rate in Hz (device, --stdin).", ge=4_000, le=768_000)]
        | None
    ) = None
    channels: Annotated[str, _about("How many channels, or which: 2 or 1,3. They are mixed.")] = ""
    split: Annotated[str, _about("Channels that are recognised each on its own: 4 or 1,2,5.")] = ""
    format: Annotated[
        Literal["s16le", "s24le", "s32le", "f32le"], _about("Sample format of --stdin.")
    ] = "s16le"
    blocksize: Annotated[int, _about("Frames a device block (0: its own).", ge=0, le=1_048_576)] = 0
    latency: Annotated[
        Literal["low", "high"] | Annotated[float, Meta(gt=0, le=60)],
        _about("Device latency: low, high or seconds."),
    ] = "low"
    speed: Annotated[
        Literal["1", "max"], _about("Pace of a file: real time or as fast as possible.")
    ] = "1"


class OutputSettings(SettingsGroup, frozen=True):
    """Where results go besides the bus and the recordings."""

    jsonl: Annotated[str, _about("Add estimates and events as JSON lines.")] = ""
    sink: Annotated[
        tuple[str, ...],
        _about("A sink of another package (entry point mmgat.sinks), and its argument."),
    ] = ()
    no_dashboard: Annotated[bool, _about("Print events instead of the dashboard.")] = False
    monitor: Annotated[bool, _about("Play what is analysed through the default audio output.")] = (
        False
    )
    queue_messages: Annotated[
        int, _about("Messages that may wait for one output.", ge=1, le=1_000_000)
    ] = 1000


class PublishSettings(SettingsGroup, frozen=True):
    """What goes out over ZeroMQ."""

    address: Annotated[str, _about("ZeroMQ address to publish on.", min_length=1)] = DEFAULT_ADDRESS
    key: Annotated[
        Path | None,
        _about("The engine's secret key (mmgat-keys): readers over TCP need a key, too."),
    ] = None
    clients: Annotated[
        Path | None, _about("Folder with the public keys of those who may connect.")
    ] = None
    insecure: Annotated[
        bool, _about("Publish to other machines without keys: anybody there may read.")
    ] = False
    control: Annotated[
        str, _about("ZeroMQ address on which others may ask: thresholds, mutes, pauses.")
    ] = ""


class BusSettings(SettingsGroup, frozen=True):
    """How much the bus keeps, and for how many."""

    history_s: Annotated[
        float, _about("Age of the oldest event that a newcomer gets, in seconds.", ge=0, le=86_400)
    ] = 600.0
    max_readers: Annotated[
        int, _about("Connections at a time; whoever comes on top is turned away.", ge=1, le=100_000)
    ] = 1000
    reader_queue: Annotated[
        int,
        _about(
            "Messages that wait for a reader that is slow; the rest is lost.", ge=10, le=100_000
        ),
    ] = 300
    status_s: Annotated[
        float, _about("Seconds from one status to the next: the heartbeat.", ge=0.1, le=2)
    ] = 1.0
    evidence: Annotated[
        bool,
        _about(
            "Publish evidence and bag scores, three quarters of an estimate; without them an "
            "estimate has some 600 bytes."
        ),
    ] = True


class ProgramSettings(SettingsGroup, frozen=True):
    """All settings of ``mmgat-stream`` and ``mmgat-tag``, by section."""

    input: InputSettings = InputSettings()
    stream: StreamSettings = StreamSettings()
    model: ModelSettings = ModelSettings()
    liveness: LivenessSettings = LivenessSettings()
    record: RecordSettings = RecordSettings()
    publish: PublishSettings = PublishSettings()
    bus: BusSettings = BusSettings()
    output: OutputSettings = OutputSettings()
