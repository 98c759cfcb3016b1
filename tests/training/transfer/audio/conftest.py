from pathlib import Path

import numpy as np
import pytest
import torch

from mmgat.model.labels import LABELS
from mmgat.training.data.audioset_names import LABEL_NAMES
from mmgat.training.data.label_text import LabelText
from mmgat.training.transfer.audio.packed import About, PackedSet, pack
from mmgat.training.transfer.audio.parts import CLIP_SAMPLES, PACKED_KINDS, Part

RATE = 32_000


class Notes:
    """Makes parts without any recordings: a tone a label; pieces have two, now and then nine."""

    def group(self, kind: str, index: int) -> list[Part]:
        rng = np.random.default_rng((PACKED_KINDS.index(kind), index))
        if kind == "pieces":
            return [self._tone(rng, label) for label in ("flute", "violin")] * (
                9 if index == 1 else 1
            )
        return [self._tone(rng, "piano" if kind == "players" else None)]

    def _tone(self, rng: np.random.Generator, label: str | None) -> Part:
        time = np.arange(CLIP_SAMPLES) / RATE
        audio = 0.2 * np.sin(2 * np.pi * rng.uniform(200, 2000) * time) * (time > 3)
        ambiguous = frozenset({"cello"}) if label == "violin" else frozenset()
        return Part(audio.astype(np.float32), label, ambiguous)


def class_names() -> list[str]:
    names = [name for group in LABEL_NAMES.values() for name in group]
    return [*names, *(f"class {n}" for n in range(527 - len(names)))]


@pytest.fixture(scope="package")
def packed(tmp_path_factory: pytest.TempPathFactory) -> PackedSet:
    folder: Path = tmp_path_factory.mktemp("packed")
    about = About(class_names(), [{"source": "tones", "licence": "none"}])
    text = LabelText(torch.zeros(len(LABELS), 384), "none", "none")
    makers = dict.fromkeys(("train", "validation"), Notes())
    pack(makers, about, text, folder / "pack", 1.0)  # type: ignore[arg-type]
    return PackedSet(folder / "pack", folder / "cache")
