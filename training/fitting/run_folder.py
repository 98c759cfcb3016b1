"""A run's folder: what is run there, what was measured, and the network."""

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
from torch import nn

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
    """A finished run of a network: its recipe, what was measured, and the network."""

    name: str
    recipe: Recipe
    result: dict[str, Any]
    network: nn.Module


def load_run(folder: Path, first: bool = False) -> Run:
    """A finished run from its folder.

    Args:
        first: with the network that was not fitted to the held-out clips.

    Raises:
        TrainingDataError: no finished run there, or one without a network.
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
    """float64 [20], calibrated on the held-out clips of that run."""
    return np.array([result["thresholds"][label] for label in LABELS])


def claim(folder: Path, description: dict[str, Any]) -> None:
    """Notes in the folder what is run there, so that nothing else goes on from it."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / RECIPE
    if not note.is_file():
        note.write_text(json.dumps(description, indent=1) + "\n", "utf-8")
    elif json.loads(note.read_text("utf-8")) != description:
        raise TrainingDataError(
            f"expected an empty folder or a run of this recipe and seed in {folder}, found another "
            "run: give another folder, or delete that one"
        )
