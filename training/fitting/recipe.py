"""Recipes: a network, its data and its training, as TOML files in ``training/recipes``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import torch
from torch import nn

from mmgat.model.bag_model import BagModel
from mmgat.model.labels import FAMILIES, ONSETS
from mmgat.model.mmgat import MMGAT, MMGATConfig
from mmgat.training.comparators.classical import CLASSICAL
from mmgat.training.comparators.networks import COMPARATORS
from mmgat.training.comparators.registry import SYSTEMS, System
from mmgat.training.data.bags import Bags
from mmgat.training.data.label_text import LabelText, minilm_embeddings
from mmgat.training.data.registry import dataset_named, training_bags
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.fit import FitSettings
from mmgat.training.fitting.losses import BagLoss, LossWeights, MMGATLoss

NETWORKS: Final = ("mmgat", *COMPARATORS, *CLASSICAL, *SYSTEMS)


class ComparatorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes of a comparator's layers."""

    size: int = 512
    dropout: float = 0.5


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One experiment.

    Attributes:
        extends: path of another recipe, from this one's folder, whose values hold unless this
            recipe changes them.
        network: ``mmgat``, or a comparator's name.
        data: name of a data set, see ``mmgat.training.data.registry``.
        embeddings: kind of embeddings of ``mixtures``, or of features of the ``yard``.
        held_out: share of the training clips for early stopping and thresholds.
        refit: whether, after that, a new network is fitted to all training clips, for all epochs.
        teachers: a recipe whose finished runs, in a folder beside this run's, are the ensemble that a
            refit is distilled from. There is no first fit: the ensemble's first networks give
            thresholds.
        distillation_weight: weight of the ensemble's scores in the targets; the rest is that of the
            labels.
        tags: whether AudioSet's other classes are further targets.
        auxiliary: classes of MMGAT's second classifier.
        label_text: a file of ``mmgat-train label-embeddings``; MiniLM's if not given.
        mmgat, comparator, system: the network's settings; ``system`` is of one of ``SYSTEMS``.
        loss, fit: settings of the training.
    """

    extends: str = ""
    network: str = "mmgat"
    data: str = "audioset"
    embeddings: str = "compact"
    held_out: float = 0.1
    refit: bool = False
    teachers: str = ""
    distillation_weight: float = 0.7
    tags: bool = True
    auxiliary: Literal["onset", "family"] = "onset"
    label_text: str = ""
    mmgat: MMGATConfig = MMGATConfig()
    comparator: ComparatorSettings = ComparatorSettings()
    system: dict[str, Any] = {}
    loss: LossWeights = LossWeights()
    fit: FitSettings = FitSettings()

    def training_bags(self, data: Path) -> tuple[Bags, Bags]:
        """Reads the bags to train on and the held-out bags from the local data folder.

        Raises:
            TrainingDataError: the data are missing or damaged.
        """
        return training_bags(self.data, data, self.held_out, self.embeddings)

    def evaluation_bags(self, data: Path) -> Bags:
        """Reads the bags to evaluate on from the local data folder.

        Raises:
            TrainingDataError: the data are missing or damaged.
        """
        return dataset_named(self.data).evaluation(data, self.embeddings)

    def build(self, n_tags: int) -> BagModel:
        """Builds the untrained network; the seed of ``fit`` decides its initial weights.

        Args:
            n_tags: number of further classes in the data.
        """
        torch.manual_seed(self.fit.seed)
        if (system := self.comparator_system()) is not None:
            return system.build(self.system_config())
        n_tags = n_tags if self.tags else 0
        if self.network != "mmgat":
            settings = self.comparator
            return COMPARATORS[self.network](settings.size, settings.dropout, n_tags)
        text = self.text().embeddings if self.mmgat.text_size else None
        config = msgspec.structs.replace(
            self.mmgat,
            text_size=0 if text is None else text.shape[1],
            n_tags=n_tags,
            n_auxiliary=len(self._groups) if self.mmgat.n_auxiliary else 0,
        )
        return MMGAT(config, text)

    def criterion(self, network: BagModel) -> nn.Module:
        """Builds the loss of a network of this recipe."""
        if (system := self.comparator_system()) is not None:
            return system.criterion(network, self.system_config())
        if isinstance(network, MMGAT):
            return MMGATLoss(network, self.loss, self._groups)
        return BagLoss(self.loss.tags)

    def comparator_system(self) -> System | None:
        """Returns the system that is fitted, if it is one of ``SYSTEMS``."""
        return SYSTEMS.get(self.network)

    def system_config(self) -> Any:
        """Returns the system's own settings.

        Raises:
            ValueError: a setting that it does not have, or an unusable value.
        """
        return msgspec.convert(self.system, SYSTEMS[self.network].config)

    @property
    def _groups(self) -> dict[str, tuple[str, ...]]:
        return ONSETS if self.auxiliary == "onset" else FAMILIES

    def text(self) -> LabelText:
        """Returns the label embeddings, made or read from the file.

        Raises:
            TrainingDataError: the file is missing or damaged.
        """
        return LabelText.load(Path(self.label_text)) if self.label_text else minilm_embeddings()


def read_recipe(path: Path) -> Recipe:
    """Reads a recipe from a TOML file.

    Raises:
        TrainingDataError: the file is missing or no TOML, or a name or a value is not usable.
    """
    try:
        recipe = msgspec.convert(_values(path), Recipe)
        MMGATConfig.from_dict(recipe.mmgat.to_dict())
    except OSError as error:
        raise TrainingDataError(
            f"expected a recipe at {error.filename}, found {error.strerror}"
        ) from None
    except ValueError as error:
        raise TrainingDataError(f"{path} is no recipe: {error}") from None
    if recipe.network not in NETWORKS:
        raise TrainingDataError(
            f"{path}: expected a network of {', '.join(NETWORKS)}, found {recipe.network!r}"
        )
    dataset_named(recipe.data)
    system = recipe.comparator_system()
    if system is None and recipe.system:
        raise TrainingDataError(
            f"{path}: expected [system] with a network of {', '.join(SYSTEMS)}, "
            f"found {recipe.network!r}"
        )
    if system is not None:
        try:
            recipe.system_config()
        except ValueError as error:
            raise TrainingDataError(f"{path}: [system] of {recipe.network}: {error}") from None
        if recipe.embeddings == Recipe().embeddings:
            recipe = msgspec.structs.replace(recipe, embeddings=system.features)
    if recipe.teachers and not recipe.refit:
        raise TrainingDataError(f"{path}: expected refit = true, since it has teachers")
    return recipe


def _values(path: Path) -> dict[str, Any]:
    own = tomllib.loads(path.read_text("utf-8"))
    base = own.get("extends")
    return _merged(_values(path.parent / base), own) if isinstance(base, str) else own


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        below = base.get(key)
        both = isinstance(value, dict) and isinstance(below, dict)
        merged[key] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return merged
