"""The data sets that a recipe may name. A new one is a module and a line here."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import torch

from mmgat.training.data.bags import Bags
from mmgat.training.data.dataset import Dataset
from mmgat.training.data.download import Archive
from mmgat.training.data.embedded import Embedded
from mmgat.training.data.mixtures import Mixtures
from mmgat.training.data.published.audioset import AudioSet
from mmgat.training.data.published.openmic import OpenMIC
from mmgat.training.data.published.openmic_irmas import OpenMICIrmas
from mmgat.training.data.yard import YardClips
from mmgat.training.errors import TrainingDataError

_ALL: Final[tuple[Dataset, ...]] = (
    AudioSet(), OpenMIC(), OpenMICIrmas(), Mixtures(), YardClips(), Embedded(),
)  # fmt: skip

DATASETS: Final = {dataset.name: dataset for dataset in _ALL}
"""name -> data set."""


def dataset_named(name: str) -> Dataset:
    """Returns the data set of that name.

    Raises:
        TrainingDataError: there is no such data set; the message lists them.
    """
    if name not in DATASETS:
        raise TrainingDataError(f"expected a data set of {', '.join(DATASETS)}, found {name!r}")
    return DATASETS[name]


def dataset_of_file(path: Path) -> Dataset:
    """Returns the data set whose published file this is, by its name; the longest pattern wins.

    Raises:
        TrainingDataError: no data set has such a file.
    """
    matching = [d for d in DATASETS.values() if fnmatch(path.name, d.file_pattern)]
    if not matching:
        raise TrainingDataError(f"expected an npz file of published embeddings, found {path.name}")
    return max(matching, key=lambda dataset: len(dataset.file_pattern))


def training_bags(
    name: str, data: Path, held_out: float, embeddings: str = "compact"
) -> tuple[Bags, Bags]:
    """Reads bags to train on, and bags held out of them for early stopping and thresholds.

    The same bags are held out whatever the network and the seed. Evaluation bags are in neither.

    Args:
        name: of the data set.
        data: the local data folder.
        held_out: share of the training bags to hold out.
        embeddings: kind of embeddings, for a data set that has several.

    Raises:
        TrainingDataError: there is no such data set, or its data are not there.
    """
    dataset = dataset_named(name)
    bags = dataset.training(data, embeddings)
    if (own := dataset.held_out(data, embeddings)) is not None:
        return bags, own
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(bags), generator=generator)
    n_held_out = round(held_out * len(bags))
    train = bags.select(order[n_held_out:])
    return dataset.extend(train, data, held_out, generator), bags.select(order[:n_held_out])


def archives() -> dict[str, list[Archive]]:
    """Returns the archives of all data sets by the name that ``mmgat-train download`` has for them."""
    found: dict[str, list[Archive]] = {}
    for dataset in DATASETS.values():
        for archive in dataset.archives:
            known = found.setdefault(archive.name, [])
            if archive not in known:
                known.append(archive)
    return found
