"""Finished runs as teachers: a network learns what they say together of every batch.

Source: distillation (Hinton et al. 2015) on the very batches the network sees, blended ones too
(Beyer et al. 2022); ours, not the paper's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mmgat.training.data.bags import RowSet
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.fit import Array, predict
from mmgat.training.fitting.losses import Targets
from mmgat.training.fitting.run_folder import RESULT, load_run


class Teachers:
    """Targets of a batch in the light of what networks say of it.

    Args:
        networks: each gives scores of bags, and logits of their tags if it has any.
        trust: weight of their mean opinion; the rest is that of the labels.
    """

    def __init__(self, networks: Sequence[nn.Module], trust: float) -> None:
        self._networks, self._trust = networks, trust

    @torch.no_grad()
    def __call__(self, batch: RowSet) -> Targets:
        """The batch's own targets, moved towards the teachers' opinion; weights are unchanged."""
        rows, mask, own = batch.rows, batch.mask(), batch.targets()
        said = [network.to(rows.device).read(rows, mask) for network in self._networks]  # type: ignore[operator]
        bag = torch.stack([output.bag_scores for output in said]).mean(0)
        taught = replace(own, bag=own.bag.lerp(bag, self._trust))
        tags = torch.stack([output.tag_logits.sigmoid() for output in said]).mean(0)
        if not tags.numel():
            return taught
        return replace(taught, tags=own.tags.lerp(tags, self._trust))


def teaching_runs(folder: Path) -> list[Path]:
    """The finished runs in a recipe's folder, one a seed.

    Raises:
        TrainingDataError: there is none.
    """
    found = sorted(path.parent for path in folder.glob(f"*/{RESULT}"))
    if not found:
        raise TrainingDataError(
            f"expected finished runs of the teachers' recipe in {folder}, found none: fit them "
            f"first, as {folder / 'seed-0'} and so on"
        )
    return found


def opinion(runs: Sequence[Path], rows: RowSet) -> Array:
    """Mean bag scores [n, 20] of the networks that were not fitted to the held-out clips.

    What a network taught by these runs would say of clips that nobody was fitted to.
    """
    scores = [predict(load_run(run, first=True).network, rows)[0] for run in runs]
    mean: Array = np.mean(scores, axis=0)
    return mean
