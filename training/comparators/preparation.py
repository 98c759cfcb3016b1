"""What a system may ask for before it is fitted: other features, other parts, and a place to keep
things.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from mmgat.model.labels import N_LABELS
from mmgat.training.data.bags import Bags
from mmgat.training.errors import TrainingDataError

WINDOWS_EACH: Final = 10
"""Windows in a bag of made windows."""


@dataclass(frozen=True)
class Preparation:
    """What is at hand before a fit.

    Attributes:
        load: part, kind of features, kinds of clips -> bags; all kinds of clips if there are none.
        seed: of all random numbers.
        report: takes a line now and then.
        folder: for what is kept; nothing is kept if there is none.
    """

    load: Callable[[str, str, Sequence[str]], Bags]
    seed: int
    report: Callable[[str], None]
    folder: Path | None = None


def single_windows(bags: Bags) -> tuple[Tensor, Tensor]:
    """Windows in which exactly one label sounds and nothing else is unknown but its relatives.

    Returns:
        windows [W, D] and their labels int64 [W].

    Raises:
        TrainingDataError: there are none.
    """
    one = (bags.instance.sum(-1) == 1) & (bags.instance_weight.sum(-1) >= N_LABELS - 3)
    one &= bags.mask()
    if not one.any():
        raise TrainingDataError(
            "expected clips of the yard with seconds of one instrument, found none: this system "
            'generates sound and needs them; use data = "yard"'
        )
    return bags.embeddings[one], bags.instance[one].argmax(-1)


def made_bags(windows: Tensor, labels: Tensor, known: Tensor) -> Bags:
    """Bags of ten made windows each.

    Args:
        windows: [W, D].
        labels, known: float32 [W, 20].
    """
    n_bags = len(windows) // WINDOWS_EACH
    kept = n_bags * WINDOWS_EACH

    def grouped(values: Tensor) -> Tensor:
        return values[:kept].reshape(n_bags, WINDOWS_EACH, -1)

    instance, weight = grouped(labels), grouped(known)
    bag = (instance * (weight > 0)).amax(1)
    return Bags(
        grouped(windows),
        torch.full((n_bags,), WINDOWS_EACH),
        bag,
        torch.where(bag >= 0.5, 1.0, weight.amin(1)),
        instance,
        weight,
        torch.zeros(n_bags, 0),
    )


def one_hot(labels: Tensor) -> Tensor:
    """Labels int64 [W] -> float32 [W, 20]."""
    return torch.nn.functional.one_hot(labels, N_LABELS).float()


def pairs_of_one_label(labels: Tensor, n: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draws n pairs of different windows with one label, every label alike often."""
    order = {
        int(label): (labels == label).nonzero().flatten().numpy() for label in torch.unique(labels)
    }
    usable = [label for label, windows in order.items() if len(windows) > 1]
    first, second = np.empty(n, np.int64), np.empty(n, np.int64)
    for index in range(n):
        windows = order[usable[int(rng.integers(len(usable)))]]
        first[index], second[index] = rng.choice(windows, 2, replace=False)
    return torch.from_numpy(first), torch.from_numpy(second)
