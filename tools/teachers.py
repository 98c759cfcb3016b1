"""Public AudioSet taggers as yardsticks: scores of the 20 labels from files that the user has.

    python -m tools.teachers mn04=mn04_as_mAP_432.pt CLIPS/*.ogg | python -m tools.score_clips MANIFEST
    python -m tools.teachers yamnet=yamnet.tflite CLIPS/*.ogg | python -m tools.score_clips MANIFEST

Scores of a file are the mean over its seconds for YAMNet, and those of the whole file for mn04. A label
has the highest score of its AudioSet classes. YAMNet's class table, ``yamnet_class_map.csv``, is
beside its file. ``python -m tools.audit --tagger`` audits the same taggers live.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from mmgat.model.labels import LABELS
from mmgat.training.data.published.audioset import COLUMNS
from mmgat.training.data.published.audioset_names import label_columns, read_class_names, to_labels
from mmgat.training.embedders.mn04 import MN04_RATE_HZ, Mn04
from mmgat.training.embedders.yamnet import YAMNET_RATE_HZ, YAMNET_SAMPLES, Yamnet
from mmgat.training.errors import TrainingDataError
from mmgat.training.synthesis.packages import to_mono

Samples = npt.NDArray[np.float32]
Tagger = Callable[[Samples], Samples]
"""Samples [T] at 32 kHz -> scores [20]."""

RATE_HZ: Final = MN04_RATE_HZ
MN04_WINDOW_S: Final = 10.0
"""mn04 was trained on clips of ten seconds."""


def load_tagger(name: str, path: Path) -> tuple[Tagger, float]:
    """Loads a tagger and returns it with the seconds of its window.

    Args:
        name: ``mn04`` or ``yamnet``.
        path: its published file.

    Raises:
        ValueError: there is no tagger of that name.
        TrainingDataError: a file is missing or damaged.
    """
    if name == "mn04":
        return _mn04(path), MN04_WINDOW_S
    if name == "yamnet":
        return _yamnet(path), YAMNET_SAMPLES / YAMNET_RATE_HZ
    raise ValueError(f"expected mn04=FILE or yamnet=FILE, found {name!r}")


def _mn04(path: Path) -> Tagger:
    teacher = Mn04(path)
    columns = [COLUMNS[label] for label in LABELS]

    def tag(samples: Samples) -> Samples:
        return to_labels(teacher(samples[None].astype(np.float32))[0][0], columns)

    return tag


def _yamnet(path: Path) -> Tagger:
    teacher = Yamnet(path)
    columns = label_columns(read_class_names(path.with_name("yamnet_class_map.csv")))

    def tag(samples: Samples) -> Samples:
        at_16_khz = soxr.resample(samples.astype(np.float32), RATE_HZ, YAMNET_RATE_HZ, "HQ")
        return to_labels(teacher(at_16_khz).mean(axis=0), columns)

    return tag


@click.command()
@click.argument("tagger", metavar="mn04|yamnet=FILE")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def main(tagger: str, files: tuple[Path, ...]) -> None:
    """Print a line of JSON with the scores of the 20 labels for every file."""
    name, _, path = tagger.partition("=")
    try:
        tag, _ = load_tagger(name, Path(path))
        for file in files:
            audio, rate_hz = soundfile.read(file, dtype="float32")
            scores = tag(to_mono(audio, rate_hz, RATE_HZ))
            by_label = {label: round(float(s), 4) for label, s in zip(LABELS, scores, strict=True)}
            click.echo(json.dumps({"file": str(file), "scores": by_label}))
    except (TrainingDataError, ValueError, soundfile.LibsndfileError) as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
