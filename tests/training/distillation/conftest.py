"""Tiny caches in the pipeline's own layout: a few tones for notes, stems and music."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmgat.model.labels import LABELS
from mmgat.training.data.audioset_names import LABEL_NAMES
from mmgat.training.distillation.student import N_MN04, N_YAMNET
from mmgat.training.synthesis.packages import RATE_HZ
from mmgat.training.synthesis.render import HELD_OUT

PLAYERS = {"flute": "flutist", "cello": "cellist"}
"""Sources of the recordings, by their labels."""

STAND_IN_TAGGERS = """
import numpy as np
import torch

class Mn04:
    def __init__(self):
        self.net = torch.nn.Module()
        self.net.features = torch.nn.Conv2d(1, 384, (128, 1), stride=(128, 100))
        self.net.avgpool = torch.nn.AdaptiveAvgPool2d(1)
        self.net.classifier = torch.nn.Linear(384, 527)
    def log_mel(self, x):
        frames = torch.as_tensor(x)[:, : 128 * 1000].reshape(len(x), 1, 128, 1000)
        return frames

class Yamnet:
    def scores(self, x):
        return np.full((len(x) // 16000, 521), 0.25, np.float32)
"""


def tone(hz: float, seconds: float) -> np.ndarray:
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (0.3 * np.sin(2 * np.pi * hz * time)).astype(np.float32)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder: two recorded notes a split, and AudioSet's class table."""
    folder = tmp_path / "data"
    (folder / "audio").mkdir(parents=True)
    header = ["path", "split", "labels", "instrument", "kind"]
    header += ["recorded", "session", "licence", "seconds"]
    with (folder / "audio" / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for split in ("train", "validation"):
            for label, hz in (("flute", 880), ("cello", 110)):
                name = f"{PLAYERS[label]}/{split}-{label}.wav"
                (folder / "audio" / PLAYERS[label]).mkdir(exist_ok=True)
                soundfile.write(folder / "audio" / name, tone(hz, 1.0), RATE_HZ)
                writer.writerow([name, split, label, label, "note", "yes", label, "CC0", 1.0])
    (folder / "audioset-vggish").mkdir()
    write_classes(folder / "audioset-vggish" / "class_labels_indices.csv", N_MN04)
    return folder


@pytest.fixture
def teachers(tmp_path: Path) -> Path:
    """Stand-ins of the right shapes for the two taggers."""
    folder = tmp_path / "teachers"
    folder.mkdir()
    (folder / "taggers.py").write_text(STAND_IN_TAGGERS)
    write_classes(folder / "yamnet_class_map.csv", N_YAMNET)
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Stems of two labels and enough music files that some fall to each split."""
    folder = tmp_path / "cache"
    for name in ("stems", "music"):
        (folder / name).mkdir(parents=True)
    stems = []
    for soundfont in ("Some", HELD_OUT):
        for label in ("organ", "piano"):
            name = f"{soundfont}-{label}.npy"
            np.save(folder / "stems" / name, np.int16(tone(440, 12.0) * 32767))
            stems.append(
                {"label": label, "unsure": [], "song": None, "weight": 1.0, "take": 0,
                 "soundfont": soundfont, "cache": name}
            )  # fmt: skip
    sources = []
    for number in range(90):
        name = f"{number}.npy"
        np.save(folder / "music" / name, np.int16(tone(100 + number, 0.2) * 32767))
        kind = "music" if number < 60 else "sounds"
        sources.append(
            {
                "kind": kind,
                "package": f"p{number % 15}",
                "file": f"{number}.ogg",
                "minutes": 0.2,
                "cache": name,
            }
        )
    (folder / "stems.json").write_text(json.dumps(stems))
    (folder / "sources.json").write_text(json.dumps(sources))
    return folder


def write_classes(path: Path, size: int) -> None:
    names = [name for label in LABELS for name in LABEL_NAMES[label]]
    names += ["Music"]
    names += [f"class {number}" for number in range(size - len(names))]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "mid", "display_name"])
        writer.writerows([number, "", name] for number, name in enumerate(names))
