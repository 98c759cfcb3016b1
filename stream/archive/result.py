"""What is found in a file, and what found it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mmgat.model.card import Card
from mmgat.model.labels import LABELS
from mmgat.stream.recognition.decision_thresholds import decision_thresholds
from mmgat.stream.settings import StreamSettings

WINDOWS_AT_ONCE: Final = 1000


@dataclass(frozen=True)
class Segment:
    """One instrument from its beginning to its end, in seconds of the file.

    Attributes:
        label: of the 20.
        t0, t1: seconds.
        score: its highest, 0 to 1.
    """

    label: str
    t0: float
    t1: float
    score: float


@dataclass(frozen=True)
class FileResult:
    """What sounds in a file.

    Attributes:
        file: its path, as it was given or found.
        seconds: that were read.
        scores: label -> 0..1 for the whole file, see ``FileScores``.
        segments: in order of their beginnings.
        windows: float64 [n, 2 + 20]: t0, t1 and the scores of every window; None if not asked for.
        partial: the file is shorter than one window and was padded.
        complete: it was read to the end that it declares.
        warning: what was wrong with it, in words, or "".
        nonfinite, clipped: samples that were NaN or infinite, or at full scale.
    """

    file: str
    seconds: float
    scores: dict[str, float]
    segments: list[Segment]
    windows: npt.NDArray[np.float64] | None = None
    partial: bool = False
    complete: bool = True
    warning: str = ""
    nonfinite: int = 0
    clipped: int = 0

    def window_rows(self) -> Iterator[tuple[float, float, dict[str, float]]]:
        """(t0, t1, label -> score) of every window, one by one: ten hours have 72,000 of them."""
        n_windows = 0 if self.windows is None else len(self.windows)
        for first in range(0, n_windows, WINDOWS_AT_ONCE):
            assert self.windows is not None
            for row in self.windows[first : first + WINDOWS_AT_ONCE].tolist():
                yield row[0], row[1], dict(zip(LABELS, row[2:], strict=True))


@dataclass(frozen=True)
class Origin:
    """What made the results of a run; it stands in each of them.

    Attributes:
        model, model_version, sha256: of the checkpoint.
        thresholds: label -> score at which an instrument begins, as used.
        sensitivity, hop_s, nodes: settings of the run.
        program: version of this package.
    """

    model: str
    model_version: str
    sha256: str
    thresholds: dict[str, float]
    sensitivity: str
    hop_s: float
    nodes: int
    program: str = field(default_factory=lambda: version("mmgat-stream"))

    @classmethod
    def of(cls, card: Card, settings: StreamSettings) -> Origin:
        """The origin of what a model finds with these settings.

        Raises:
            SettingsError, CheckpointError: see ``decision_thresholds``.
        """
        return cls(
            model=card.name,
            model_version=card.version,
            sha256=card.sha256,
            thresholds=decision_thresholds(card, settings.decision),
            sensitivity=settings.decision.sensitivity,
            hop_s=settings.hop_s,
            nodes=settings.nodes,
        )

    @property
    def title(self) -> str:
        """Model, version and settings in a line."""
        return (
            f"{self.model} {self.model_version}, {self.sensitivity} sensitivity, "
            f"hop {self.hop_s:g} s, {self.nodes} nodes"
        )

    def threshold(self, label: str) -> float:
        """The label's threshold; 1 for a label that is never named."""
        return self.thresholds.get(label, 1.0)


def as_dict(result: FileResult, origin: Origin) -> dict[str, Any]:
    """A result and its origin as nested dictionaries and lists, as JSON lines and Parquet have them."""
    row: dict[str, Any] = {
        "file": result.file,
        "seconds": result.seconds,
        "scores": result.scores,
        "segments": [
            {"label": s.label, "t0": s.t0, "t1": s.t1, "score": s.score} for s in result.segments
        ],
        "partial": result.partial,
        "complete": result.complete,
        "warning": result.warning,
        "faults": {"nonfinite": result.nonfinite, "clipped": result.clipped},
        "model": {
            "name": origin.model,
            "version": origin.model_version,
            "sha256": origin.sha256,
            "program": origin.program,
        },
        "thresholds": origin.thresholds,
        "settings": {
            "sensitivity": origin.sensitivity,
            "hop_s": origin.hop_s,
            "nodes": origin.nodes,
        },
    }
    if result.windows is not None:
        row["windows"] = [
            {"t0": t0, "t1": t1, "scores": scores} for t0, t1, scores in result.window_rows()
        ]
    return row
