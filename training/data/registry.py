"""The bags a recipe names, from a local data folder.

DATA/audioset-vggish/{train,validation}.npz     AudioSet's released rows
DATA/openmic-2018/openmic-2018.npz, partitions  OpenMIC-2018, unpacked
DATA/irmas/IRMAS-TrainingData, ...              IRMAS, unpacked
    DATA/mixtures/...                               of ``mmgat-train mixtures``
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch

from mmgat.training.data.audioset import read_audioset
from mmgat.training.data.bags import RowSet
from mmgat.training.data.irmas import embed_clips, hold_out, test_clips, training_clips
from mmgat.training.data.mixtures import read_mixtures
from mmgat.training.data.openmic import read_openmic
from mmgat.training.data.openmic_irmas import append_by_class
from mmgat.training.fitting.recipe import Recipe

SOURCES: Final = {
    "audioset": {
        "source": "AudioSet, released VGGish rows, class-balanced training set (Google)",
        "licence": "CC BY 4.0",
    },
    "openmic": {"source": "OpenMIC-2018, shipped VGGish rows", "licence": "CC BY 4.0"},
    "mixtures": {"source": "recorded notes and rendered stems, mixed", "licence": "see the data"},
    "irmas": {"source": "IRMAS, training clips", "licence": "CC BY-NC-SA 3.0"},
}


def training_bags(recipe: Recipe, data: Path) -> tuple[RowSet, RowSet]:
    """Bags to train on, and bags held out of them for early stopping and thresholds.

    The same bags are held out whatever the network and the seed. Evaluation rows are in neither.

    Raises:
        TrainingDataError: the data are not there.
    """
    if recipe.data == "audioset":
        bags = read_audioset(data / "audioset-vggish" / "train.npz")
    elif recipe.data == "mixtures":
        bags = read_mixtures(data, recipe.rows, "train")
    else:
        bags = read_openmic(data / "openmic-2018", "train")
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(bags), generator=generator)
    n_held_out = round(recipe.held_out * len(bags))
    train, held_out = bags.select(order[n_held_out:]), bags.select(order[:n_held_out])
    if recipe.data == "openmic+irmas":
        clips, _ = hold_out(training_clips(data / "irmas"), recipe.held_out, seed=0)
        train = append_by_class(train, _irmas_rows(clips, data, "train"), generator)
    return train, held_out


def evaluation_bags(recipe: Recipe, data: Path) -> RowSet:
    """AudioSet's music clips, OpenMIC's test split, or that with IRMAS's, or held-out mixtures.

    Raises:
        TrainingDataError: the data are not there.
    """
    if recipe.data == "audioset":
        return read_audioset(data / "audioset-vggish" / "validation.npz", music_only=True)
    if recipe.data == "mixtures":
        return read_mixtures(data, recipe.rows, "validation")
    test = read_openmic(data / "openmic-2018", "test")
    if recipe.data == "openmic+irmas":
        test = test.join(_irmas_rows(test_clips(data / "irmas"), data, "test"))
    return test


def sources(recipe: Recipe) -> list[dict[str, Any]]:
    """Source and licence of what a recipe trains on."""
    return [SOURCES[name] for name in recipe.data.split("+")]


def _irmas_rows(clips: list[Any], data: Path, split: str) -> RowSet:
    """IRMAS's clips in the space of OpenMIC's rows; VGGish's weights come from torch.hub's cache."""
    from mmgat.model.embedders.vggish import VARIANTS, load_vggish

    return embed_clips(clips, load_vggish(VARIANTS[1]), data / "irmas" / f"rows-{split}.npz")
