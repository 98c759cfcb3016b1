"""Recipes: what is fitted to what, and how, as TOML files in ``training/recipes``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import torch
from torch import nn

from mmgat.model.labels import FAMILIES, ONSETS
from mmgat.model.mmgat import MMGAT, MMGATConfig
from mmgat.training.comparators.classical import CLASSICAL
from mmgat.training.comparators.networks import COMPARATORS
from mmgat.training.data.label_text import LabelText, minilm_embeddings
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.fit import FitSettings
from mmgat.training.fitting.losses import BagLoss, LossWeights, MMGATLoss

NETWORKS: Final = ("mmgat", *COMPARATORS, *CLASSICAL)


class ComparatorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes of a comparator's layers."""

    size: int = 512
    dropout: float = 0.5


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One experiment.

    Attributes:
        extends: another recipe, beside this one, of which this changes only what it names.
        network: ``mmgat``, or a comparator's name.
        data: ``audioset``, ``openmic``, ``openmic+irmas``, or ``mixtures``.
        rows: of mixtures.
        held_out: share of the training clips for early stopping and thresholds.
        refit: whether, these two known, the network is made anew of all training clips, for the
            whole cycle.
        teachers: a recipe whose finished runs, beside this one's folder, teach a refit: in place of
            a first fit their own first ones give thresholds.
        trust: weight of what the teachers say of a batch; the rest is that of its labels.
        tags: whether AudioSet's other classes help training.
        auxiliary: classes of MMGAT's second classifier.
        label_text: a file of ``mmgat-train label-embeddings``; MiniLM's if not given.
        mmgat, comparator: the network.
        loss, fit: how it learns.
    """

    extends: str = ""
    network: str = "mmgat"
    data: Literal["audioset", "openmic", "openmic+irmas", "mixtures"] = "audioset"
    rows: Literal["compact", "time-frequency"] = "compact"
    held_out: float = 0.1
    refit: bool = False
    teachers: str = ""
    trust: float = 0.7
    tags: bool = True
    auxiliary: Literal["onset", "family"] = "onset"
    label_text: str = ""
    mmgat: MMGATConfig = MMGATConfig()
    comparator: ComparatorSettings = ComparatorSettings()
    loss: LossWeights = LossWeights()
    fit: FitSettings = FitSettings()

    def build(self, n_tags: int) -> nn.Module:
        """The untrained network, of first weights by the seed of ``fit``.

        Args:
            n_tags: further classes in the data.
        """
        torch.manual_seed(self.fit.seed)
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

    def criterion(self, network: nn.Module) -> nn.Module:
        """The loss of a network of this recipe."""
        if isinstance(network, MMGAT):
            return MMGATLoss(network, self.loss, self._groups)
        return BagLoss(self.loss.tags)

    @property
    def _groups(self) -> dict[str, tuple[str, ...]]:
        return ONSETS if self.auxiliary == "onset" else FAMILIES

    def text(self) -> LabelText:
        """The label embeddings, made or read from the file.

        Raises:
            TrainingDataError: the file is missing or damaged.
        """
        return LabelText.load(Path(self.label_text)) if self.label_text else minilm_embeddings()


def read_recipe(path: Path) -> Recipe:
    """A recipe from a TOML file.

    Raises:
        TrainingDataError: no file, no TOML, an unknown name or a value of the wrong kind.
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
