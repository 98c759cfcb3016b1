"""A small data folder in AudioSet's published form, a finished run on it, and tiny caches of clips."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmgat.model.labels import LABELS
from mmgat.training.data.published.audioset import COLUMNS
from mmgat.training.data.published.audioset_names import LABEL_NAMES
from mmgat.training.distillation.teachers import TeacherFiles
from mmgat.training.embedders.mn04 import N_MN04
from mmgat.training.embedders.yamnet import N_YAMNET
from mmgat.training.fitting.runs import run
from mmgat.training.synthesis.packages import RATE_HZ
from mmgat.training.synthesis.render import HELD_OUT
from tests.training.stand_ins import StandInTeachers

SOURCES = {"flute": "flutist", "cello": "cellist"}
"""Sources of the recordings, by their labels."""

QUICK = """
network = "{network}"
[mmgat]
n_layers = 1
state_sizes = [128, 64]
dropout = 0.0
graph_dropout = 0.0
{mmgat}
[comparator]
size = 64
dropout = 0.0
[fit]
epochs = {epochs}
patience = {epochs}
batch = 32
learning_rate = 1e-2
ema = 0.9
"""


def write_audioset(path: Path, n_clips: int, seed: int) -> None:
    """Clips with one or two of the 20 labels; its coordinate is high in three of ten embeddings."""
    rng = np.random.default_rng(seed)
    features = rng.integers(96, 160, (n_clips, 10, 128), dtype=np.uint8)
    labels = np.zeros((n_clips, 527), bool)
    for clip in range(n_clips):
        for label in rng.choice(len(LABELS), rng.integers(1, 4), replace=False):
            features[clip, rng.choice(10, 3, replace=False), label] = 255
            labels[clip, COLUMNS[LABELS[label]][0]] = True
    labels[: n_clips // 20, 520] = True  # White noise
    np.savez(
        path,
        features=features,
        lengths=np.full(n_clips, 10, np.uint8),
        labels=np.packbits(labels, axis=1),
    )


@pytest.fixture(scope="session")
def audioset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 640 training and 160 evaluation clips."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "audioset-vggish").mkdir()
    write_audioset(folder / "audioset-vggish" / "train.npz", 640, 0)
    write_audioset(folder / "audioset-vggish" / "validation.npz", 160, 1)
    return folder


@pytest.fixture(scope="session")
def quick_recipe(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes a recipe of a network that is fitted in seconds."""
    folder = tmp_path_factory.mktemp("recipes")

    def write(
        network: str, epochs: int = 1, mmgat: str = "", name: str = "", first: str = ""
    ) -> Path:
        path = folder / f"{name or network}.toml"
        path.write_text(first + QUICK.format(network=network, epochs=epochs, mmgat=mmgat))
        return path

    return write


@pytest.fixture(scope="session")
def finished_run(
    audioset: Path, quick_recipe: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a run of MMGAT that learned something."""
    folder = tmp_path_factory.mktemp("runs") / "mmgat"
    run(quick_recipe("mmgat", epochs=12), audioset, folder, report=lambda _: None)
    return folder


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
                name = f"{SOURCES[label]}/{split}-{label}.wav"
                (folder / "audio" / SOURCES[label]).mkdir(exist_ok=True)
                soundfile.write(folder / "audio" / name, tone(hz, 1.0), RATE_HZ)
                writer.writerow([name, split, label, label, "note", "yes", label, "CC0", 1.0])
    (folder / "audioset-vggish").mkdir()
    write_classes(folder / "audioset-vggish" / "class_labels_indices.csv", N_MN04)
    return folder


@pytest.fixture
def teachers(tmp_path: Path) -> TeacherFiles:
    return StandInTeachers(tmp_path / "mn04.pt", tmp_path / "yamnet.tflite")


@pytest.fixture
def yamnet_classes(tmp_path: Path) -> Path:
    """A class table of YAMNet's size."""
    path = tmp_path / "yamnet_class_map.csv"
    write_classes(path, N_YAMNET)
    return path


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
                {"label": label, "ambiguous": [], "song": None, "weight": 1.0, "take": 0,
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
