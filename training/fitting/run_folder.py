"""The folder of a run: its recipe, its figures and its network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.torch import load_file

from mmgat.model.bag_model import BagModel
from mmgat.model.labels import LABELS
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.fit import NETWORK
from mmgat.training.fitting.recipe import Recipe

RECIPE: Final = "recipe.json"
RESULT: Final = "result.json"
FIRST: Final = "first"
"""Folder of the network that was not fitted to the held-out clips, if a second one was."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        name: of the recipe.
        recipe: with the seed of this run.
        result: its figures, thresholds and sizes.
        network: in evaluation mode.
    """

    name: str
    recipe: Recipe
    result: dict[str, Any]
    network: BagModel


def load_run(folder: Path, first: bool = False) -> Run:
    """Loads a finished run.

    Args:
        folder: of the run.
        first: load the network that was not fitted to the held-out clips.

    Raises:
        TrainingDataError: there is no finished run in the folder, or it has no network.
    """
    try:
        result = json.loads((folder / RESULT).read_text("utf-8"))
        of = dict(result["of"])
        name = of.pop("recipe")
        recipe = msgspec.convert(of, Recipe)
        state = load_file((folder / FIRST if first and recipe.refit else folder) / NETWORK)
        network = recipe.build(result["tags"])
        network.load_state_dict(state)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise TrainingDataError(
            f"expected a finished run of a network in {folder}, found {error!r}"
        ) from None
    return Run(name, recipe, result, network.eval())


def thresholds_of(result: dict[str, Any]) -> npt.NDArray[np.float64]:
    """Returns the thresholds of a result as float64 [20]."""
    return np.array([result["thresholds"][label] for label in LABELS])


def reserve_run(folder: Path, description: dict[str, Any]) -> None:
    """Reserves a folder for a run: writes its description there, so that no other run resumes it.

    A setting that a kept description lacks, since it is newer than the run, had its default.

    Args:
        folder: is made if it does not exist.
        description: the recipe's name and values.

    Raises:
        TrainingDataError: the folder belongs to another run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / RECIPE
    if not path.is_file():
        path.write_text(json.dumps(description, indent=1) + "\n", "utf-8")
    elif _whole(json.loads(path.read_text("utf-8"))) != _whole(description):
        raise TrainingDataError(
            f"expected an empty folder or a run of this recipe and seed in {folder}, found another "
            "run: give another folder, or delete that one"
        )


def _whole(description: dict[str, Any]) -> object:
    """A description with every setting, or as it is if it is of no recipe."""
    values = dict(description)
    name = values.pop("recipe", None)
    try:
        return name, msgspec.convert(values, Recipe)
    except ValueError:
        return description
