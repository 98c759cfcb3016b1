"""Two public AudioSet taggers as teachers, from files of the user: YAMNet and EfficientAT's mn04."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from mmgat.training.embedders.mn04 import Mn04
from mmgat.training.embedders.yamnet import Yamnet

Samples = npt.NDArray[np.float32]


class ClipTagger(Protocol):
    """A teacher that tags whole clips."""

    def __call__(self, clips: Samples) -> tuple[Samples, Samples]:
        """Clips [n, T] at 32 kHz -> class probabilities [n, 527] and features [n, 384]."""
        ...


class WindowTagger(Protocol):
    """A teacher that tags every second."""

    def __call__(self, clip: Samples) -> Samples:
        """A clip [T] at 16 kHz -> class probabilities [n, 521], one row a whole second."""
        ...


class Teachers(NamedTuple):
    """The two teachers of a clip."""

    mn04: ClipTagger
    yamnet: WindowTagger


@dataclass(frozen=True)
class TeacherFiles:
    """The published files of the teachers.

    Attributes:
        mn04: state dict, such as ``mn04_as_mAP_432.pt``.
        yamnet: TensorFlow Lite file.
    """

    mn04: Path
    yamnet: Path

    def load(self) -> Teachers:
        """Loads both teachers.

        Raises:
            TrainingDataError: a file is missing or is not what it should be.
        """
        return Teachers(Mn04(self.mn04), Yamnet(self.yamnet))
