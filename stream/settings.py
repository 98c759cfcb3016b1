"""Settings of the live path, with their defaults and allowed values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mmgat.stream.errors import SettingsError

HOPS_S: Final = (0.25, 0.5, 1.0)
MAX_NODES: Final = 60
DEFAULT_ADDRESS: Final = "tcp://127.0.0.1:5550"


@dataclass(frozen=True)
class DecisionSettings:
    """When an instrument counts as sounding.

    Attributes:
        n_windows: that speak together: their mean log-odds reach the threshold before ``on``, and
            as many in a row lie below the lower one before ``off``.
        off_ratio: the lower threshold, as a share of the label's threshold.
        silence_dbfs: windows with a lower RMS level name no instrument.
        warm_up_windows: windows at the start of a stream (or after a gap) without events.
    """

    n_windows: int = 2
    off_ratio: float = 0.75
    silence_dbfs: float = -60.0
    warm_up_windows: int = 1


@dataclass(frozen=True)
class LivenessSettings:
    """When a live source counts as lost, and how it is won back.

    Attributes:
        alarm_s: seconds without frames.
        first_pause_s, longest_pause_s: between attempts to open it; each pause doubles the last.
        escalate_s: seconds without frames after which its loss is no passing one.
        exit_on_loss: end with an error instead, for those who have a supervisor.
    """

    alarm_s: float = 3.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 5.0
    escalate_s: float = 60.0
    exit_on_loss: bool = False


@dataclass(frozen=True)
class RecordSettings:
    """Which sound is kept, and how much of it.

    Attributes:
        folder: where it is kept.
        before_s, after_s: around what is recognised.
        longest_s: after which a clip goes on in another file.
        limit_gb: of disk for all recordings and logs in the folder; the oldest go.

    Raises:
        SettingsError: no room at all.
    """

    folder: Path
    before_s: float = 3.0
    after_s: float = 2.0
    longest_s: float = 60.0
    limit_gb: float = 1.0

    def __post_init__(self) -> None:
        if not self.limit_gb > 0:
            raise SettingsError(f"expected a record limit above 0 GB, found {self.limit_gb:g}")


@dataclass(frozen=True)
class StreamSettings:
    """The shape of the stream.

    Attributes:
        hop_s: seconds between windows: 0.25, 0.5 or 1.
        nodes: seconds in a graph, 1 to 60.
        queue_hops: hops of audio that may wait for analysis before the oldest are dropped, so that
            the newest estimate is never older than that and the time it takes to compute.
        decision: see ``DecisionSettings``.

    Raises:
        SettingsError: a value outside its range.
    """

    hop_s: float = 0.5
    nodes: int = 10
    queue_hops: float = 2.0
    decision: DecisionSettings = DecisionSettings()

    def __post_init__(self) -> None:
        if self.hop_s not in HOPS_S:
            allowed = ", ".join(f"{hop:g}" for hop in HOPS_S)
            raise SettingsError(f"expected a hop of {allowed} seconds, found {self.hop_s:g}")
        if not 1 <= self.nodes <= MAX_NODES:
            raise SettingsError(f"expected 1 to {MAX_NODES} nodes, found {self.nodes}")
