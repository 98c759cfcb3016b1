"""Distillation from an ensemble: finished runs give targets of every batch to one more network.

Source: distillation (Hinton et al. 2015) on the very batches that the network sees, mixed ones too
(Beyer et al. 2022); ours, not the paper's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mmgat.model.bag_model import BagModel, BagOutput
from mmgat.training.data.bags import Bags, Targets
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.fit import Array, predict
from mmgat.training.fitting.run_folder import RESULT, load_run


class EnsembleTargets:
    """Targets of a batch: its own, moved towards the mean scores of an ensemble.

    Args:
        networks: the ensemble.
        distillation_weight: weight of the ensemble's mean scores; the rest is that of the labels.
    """

    def __init__(self, networks: Sequence[BagModel], distillation_weight: float) -> None:
        self._networks, self._weight = networks, distillation_weight

    @torch.no_grad()
    def __call__(self, batch: Bags) -> Targets:
        """Computes the targets of a batch; their weights are the batch's own."""
        embeddings, mask, own = batch.embeddings, batch.mask(), batch.targets()
        outputs: list[BagOutput] = [
            network.to(embeddings.device)(embeddings, mask) for network in self._networks
        ]
        bag = torch.stack([output.bag_scores for output in outputs]).mean(0)
        distilled = replace(own, bag=own.bag.lerp(bag, self._weight))
        tags = torch.stack([output.tag_logits.sigmoid() for output in outputs]).mean(0)
        if not tags.numel():
            return distilled
        return replace(distilled, tags=own.tags.lerp(tags, self._weight))


def ensemble_runs(folder: Path) -> list[Path]:
    """Finds the finished runs in a recipe's folder, one a seed.

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


def ensemble_scores(runs: Sequence[Path], bags: Bags) -> Array:
    """Computes mean bag scores [n, 20] of the networks that were not fitted to the held-out clips.

    They stand in for the scores of a network distilled from these runs on clips that no network was
    fitted to.
    """
    scores = [predict(load_run(run, first=True).network, bags)[0] for run in runs]
    mean: Array = np.mean(scores, axis=0)
    return mean
