"""A small data folder in AudioSet's published form, and a finished run on it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmgat.model.labels import LABELS
from mmgat.training.data.audioset import COLUMNS
from mmgat.training.fitting.runs import run

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
    """Clips with one or two of the 20 labels; a label's coordinate is high in three of ten rows."""
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
