"""What training needs to know about a data set. Each one is a class in a file of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, NamedTuple

import torch

from mmgat.training.data.bags import Bags
from mmgat.training.data.download import Archive


class Source(NamedTuple):
    """Source and licence of training data, for a checkpoint's card."""

    source: str
    licence: str


class Dataset(ABC):
    """Bags to train on and bags to evaluate on, in a local data folder.

    To add a data set, write a subclass in a module of this package and add one instance to
    ``mmgat.training.data.registry.DATASETS``.

    Attributes:
        name: of the data set in a recipe.
        sources: what a network trained on it has learned from.
        archives: what ``mmgat-train download`` fetches for it.
        variant: VGGish variant of its embeddings; "" if a run on it cannot be published.
        evaluated_on: which bags ``evaluation`` gives, in words.
        file_pattern: name of the published files that ``read_file`` reads, with ``*``; "" for none.
        n_in_file: how many bags ``read_file`` gives of a whole published set; None if it varies.
        notes: limits of a network trained on it, for its card.
    """

    name: ClassVar[str]
    sources: ClassVar[tuple[Source, ...]]
    archives: ClassVar[tuple[Archive, ...]] = ()
    variant: ClassVar[str] = ""
    evaluated_on: ClassVar[str] = ""
    file_pattern: ClassVar[str] = ""
    n_in_file: ClassVar[int | None] = None
    notes: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def training(self, data: Path, embeddings: str) -> Bags:
        """Reads the bags of the training split.

        Args:
            data: the local data folder.
            embeddings: kind of embeddings, for a data set that has several.

        Raises:
            TrainingDataError: the data are missing or damaged.
        """

    @abstractmethod
    def evaluation(self, data: Path, embeddings: str) -> Bags:
        """Reads the bags of the evaluation split; arguments and errors are those of ``training``."""

    def held_out(self, data: Path, embeddings: str) -> Bags | None:
        """Reads the held-out split, of a data set that has one; None if training bags are held out."""
        return None

    def extend(self, train: Bags, data: Path, held_out: float, generator: torch.Generator) -> Bags:
        """Extends training bags after some were held out; by default they stay as they are.

        Args:
            train: bags to train on.
            data: the local data folder.
            held_out: share of the training bags that was held out.
            generator: the randomness.
        """
        return train

    def read_file(self, path: Path, every_clip: bool) -> tuple[Bags, str]:
        """Reads the bags to evaluate on from a published file, and describes them in words.

        Args:
            path: a file of the data set's ``file_pattern``.
            every_clip: not only clips of music, for a data set with others.

        Raises:
            TrainingDataError: the file is missing or damaged.
        """
        raise NotImplementedError(f"{self.name} has no published file of embeddings")
