"""OpenMIC-2018 and IRMAS as published, as yards of their own: audio, and labels of whole clips.

OpenMIC: ``audio/000/000046_3840.ogg`` of the archive, its labels, mask and split. IRMAS: training clips
of 3 s, test clips of 5 to 20 s, of which the first ten are read. Every tenth recording of training is
held out. The paper's set is both: OpenMIC's training clips with an IRMAS clip of one label behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from mmgat.model.labels import INDEX, N_LABELS
from mmgat.training.data.published.irmas import (
    COVERED,
    IrmasClip,
    evaluation_clips,
    hold_out,
    training_clips,
)
from mmgat.training.data.published.openmic import openmic_labels
from mmgat.training.data.yard_store import LabelledClip, Yard, weakly_labelled
from mmgat.training.errors import TrainingDataError
from mmgat.training.features.registry import RATE_HZ
from mmgat.training.yard.make import read_stereo

Published = Literal["openmic", "irmas", "openmic+irmas"]
HELD_OUT: Final = 0.1

Floats = npt.NDArray[np.float32]


class WeakClip:
    """A clip with labels of the whole: bag and weight float32 [20].

    Args:
        paths: files, one after another.
        bag, weight: of the labels.
        source: in words.
    """

    def __init__(self, paths: Sequence[Path], bag: Floats, weight: Floats, source: str) -> None:
        self.paths, self.bag, self.weight, self.source = tuple(paths), bag, weight, source

    def read(self) -> LabelledClip:
        """Reads the audio; files after the first replace the end of the first one's ten seconds."""
        parts = [read_stereo(path) for path in self.paths]
        behind = sum(part.shape[1] for part in parts[1:])
        first = parts[0][:, : max(RATE_HZ, 10 * RATE_HZ - behind)]
        audio = np.concatenate([first, *parts[1:]], axis=1)
        return weakly_labelled(audio, self.bag, self.weight, "published", self.source)


def irmas_clips(clips: Sequence[IrmasClip]) -> list[WeakClip]:
    """Clips of IRMAS: ten labels are annotated; of training clips only the predominant one."""
    found = []
    for clip in clips:
        bag, weight = np.zeros(N_LABELS, np.float32), np.zeros(N_LABELS, np.float32)
        present = [INDEX[label] for label in clip.labels]
        bag[present] = 1
        weight[[INDEX[label] for label in COVERED] if clip.complete else present] = 1
        found.append(WeakClip([clip.path], bag, weight, "irmas"))
    return found


def openmic_clips(folder: Path, split: Literal["train", "test"]) -> list[WeakClip]:
    """Clips of a split of OpenMIC-2018.

    Raises:
        TrainingDataError: audio or labels are missing.
    """
    keys, bag, weight = openmic_labels(folder, split)
    root = folder / "openmic-2018" if (folder / "openmic-2018").is_dir() else folder
    found = []
    for key, on, known in zip(keys, bag, weight, strict=True):
        path = root / "audio" / key[:3] / f"{key}.ogg"
        if not path.is_file():
            raise TrainingDataError(
                f"expected OpenMIC's audio at {path}, found no file: unpack "
                "openmic-2018-v1.0.0.tgz again"
            )
        found.append(WeakClip([path], on, known, "openmic"))
    return found


def appended(openmic: list[WeakClip], irmas: list[WeakClip], seed: int = 0) -> list[WeakClip]:
    """The paper's rule: an IRMAS clip of label A behind an OpenMIC clip with label A.

    Ten seconds are kept: the IRMAS clip replaces the end. Labels stay those of OpenMIC.
    """
    rng = np.random.default_rng(seed)
    of_label: dict[int, list[WeakClip]] = {}
    for clip in irmas:
        of_label.setdefault(int(clip.bag.argmax()), []).append(clip)
    joined = []
    for clip in openmic:
        positive = [label for label in of_label if clip.bag[label] > 0 and clip.weight[label] > 0]
        if positive:
            members = of_label[int(rng.choice(positive))]
            other = members[int(rng.integers(len(members)))]
            source = "openmic+irmas"
            clip = WeakClip([*clip.paths, *other.paths], clip.bag, clip.weight, source)
        joined.append(clip)
    return joined


def run(name: Published, data: Path, folder: Path, report: Callable[[str], None] = print) -> Yard:
    """Writes a published set as a yard; shards that are whole are kept.

    Args:
        name: of the set.
        data: the data folder, with openmic-2018/ or irmas/, as of ``mmgat-train download``.
        folder: of the yard.
        report: takes a line a part.

    Raises:
        TrainingDataError: the set is missing or not whole.
    """
    parts: dict[str, list[WeakClip]] = {"train": [], "held-out": [], "evaluation": []}
    irmas_train: list[WeakClip] = []
    if "irmas" in name:
        train, held_out = hold_out(training_clips(data / "irmas"), HELD_OUT, seed=0)
        irmas_train = irmas_clips(train)
        parts["train"] = irmas_train
        parts["held-out"] = irmas_clips(held_out)
        parts["evaluation"] = irmas_clips(evaluation_clips(data / "irmas"))
    if "openmic" in name:
        clips = openmic_clips(data / "openmic-2018", "train")
        order = np.random.default_rng(0).permutation(len(clips))
        n_held_out = round(HELD_OUT * len(clips))
        chosen = [clips[index] for index in order[n_held_out:]]
        parts["train"] = appended(chosen, irmas_train) if irmas_train else chosen
        parts["held-out"] += [clips[index] for index in order[:n_held_out]]
        parts["evaluation"] += openmic_clips(data / "openmic-2018", "test")
    yard = Yard(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for part, clips in parts.items():
        yard.write(part, len(clips), lambda index, of=clips: of[index].read())  # type: ignore[misc]
        report(f"{part}: {len(clips)} clips")
    return yard
