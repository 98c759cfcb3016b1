"""Short pieces of the demo, the shipped model, and a result to write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmgat.model.labels import LABELS
from mmgat.stream.archive.result import FileResult, Origin, Segment
from mmgat.stream.recognition.recognizer import Recognizer, load_recognizer

DEMO = Path(__file__).parents[3] / "stream" / "demo" / "demo.ogg"


@pytest.fixture(scope="session")
def recognizer() -> Recognizer:
    return load_recognizer("compact")


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four pieces of the demo: 3, 5, 7 and 9 seconds."""
    folder = tmp_path_factory.mktemp("clips")
    sound, rate_hz = soundfile.read(DEMO, dtype="float32")
    paths = []
    for i, seconds in enumerate((3, 5, 7, 9)):
        path = folder / f"{i}.flac"
        soundfile.write(path, sound[8 * i * rate_hz : (8 * i + seconds) * rate_hz], rate_hz)
        paths.append(path)
    return paths


@pytest.fixture
def origin() -> Origin:
    thresholds = {label: 0.3 for label in LABELS if label != "ukulele"}
    return Origin("compact", "7", "f" * 64, thresholds, "normal", 0.5, 10)


@pytest.fixture
def result() -> FileResult:
    windows = np.zeros((3, 22))
    windows[:, 0], windows[:, 1] = (0, 0.5, 1), (1, 1.5, 2)
    windows[:, 2 + LABELS.index("piano")] = (0.5, 0.7, 0.9)
    return FileResult(
        file='music/Søren, "live".flac',
        seconds=4.5,
        scores=dict.fromkeys(LABELS, 0.1) | {"piano": 0.8},
        segments=[Segment("piano", 0.0, 3.25, 0.9312), Segment("voice", 1.75, 4.5, 0.61)],
        windows=windows,
    )
