"""The paper's noise test and its top-k instances, on finished runs.

The paper adds the normalised VGGish vector of recorded white noise to rows with a probability of 10
and 20 %, and says that keeping only the k most activated rows shows which seconds matter but costs
accuracy. What it leaves open is ours: the noise is the mean row of the training clips labelled
"White noise", normalised to the mean length of a row; a row's activation is its largest evidence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from mmgat.model.mmgat import MMGAT
from mmgat.training.data.bags import RowSet
from mmgat.training.data.registry import evaluation_bags, training_bags
from mmgat.training.errors import TrainingDataError
from mmgat.training.evaluation.metrics import f1_scores, mean_average_precision
from mmgat.training.fitting.fit import predict
from mmgat.training.fitting.run_folder import Run, load_run, thresholds_of

WHITE_NOISE: Final = 520
"""AudioSet's class, a column of the tags."""

CHANCES: Final = (0.0, 0.1, 0.2)


def noise_row(rows: RowSet) -> Tensor:
    """What the embedder makes of white noise, float32 [128], as long as a row is on average.

    Raises:
        TrainingDataError: no clip is labelled so.
    """
    labelled = rows.tags[:, WHITE_NOISE] > 0.5 if rows.tags.shape[1] > WHITE_NOISE else None
    if labelled is None or not labelled.any():
        raise TrainingDataError("expected clips labelled White noise in the training rows")
    noisy = rows.select(labelled)
    mean: Tensor = noisy.rows[noisy.mask()].mean(0)
    length = rows.rows[rows.mask()].norm(dim=-1).mean()
    scaled: Tensor = mean * length / mean.norm()
    return scaled


def with_noise(rows: RowSet, noise: Tensor, chance: float, seed: int = 0) -> RowSet:
    """Noise added to every row with that probability."""
    generator = torch.Generator().manual_seed(seed)
    struck = torch.rand(rows.rows.shape[:2], generator=generator) < chance
    return dataclasses.replace(rows, rows=rows.rows + noise * (struck & rows.mask())[..., None])


@torch.inference_mode()
def most_activated(network: MMGAT, rows: RowSet, k: int) -> tuple[RowSet, float]:
    """Bags of the k rows with the largest evidence, in order; and their share of all evidence."""
    output = network.read(rows.rows, rows.mask())
    activation = output.evidence.amax(-1).masked_fill(~rows.mask(), -1.0)
    places = activation.topk(min(k, activation.shape[1]), dim=1).indices.sort(dim=1).values
    lengths = rows.lengths.clamp(max=k)
    # Padding has the lowest activation, and in order it comes last.
    bags = torch.arange(len(rows))[:, None]
    kept = dataclasses.replace(
        rows,
        rows=rows.rows[bags, places],
        lengths=lengths,
        instance=rows.instance[bags, places],
        instance_weight=rows.instance_weight[bags, places],
    )
    total = output.evidence.sum((1, 2))
    share = output.evidence[bags, places].sum((1, 2)) / total
    return kept, float(share.mean())


def noise_table(folders: Sequence[Path], data: Path) -> str:
    """Markdown: every run at every chance of noise, mean average precision and micro F1.

    Raises:
        TrainingDataError: no such run or data.
    """
    lines = [
        "| network | " + " | ".join(f"{chance:.0%} noise" for chance in CHANCES) + " |",
        "| --- " * (1 + len(CHANCES)) + "|",
    ]
    for folder in folders:
        run = load_run(folder)
        evaluation = evaluation_bags(run.recipe, data)
        noise = noise_row(training_bags(run.recipe, data)[0])
        cells = []
        for chance in CHANCES:
            m_ap, micro = _worth(run, with_noise(evaluation, noise, chance))
            cells.append(f"{m_ap:.4f} / {micro:.3f}")
        lines.append(f"| {run.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def top_k_table(folder: Path, data: Path, ks: Sequence[int] = (1, 2, 3, 5, 7, 10)) -> str:
    """Markdown: what a run of MMGAT is worth on its k most activated rows alone.

    Raises:
        TrainingDataError: no such run or data, or not of MMGAT.
    """
    run = load_run(folder)
    if not isinstance(run.network, MMGAT):
        raise TrainingDataError(f"expected a run of mmgat in {folder}, found {run.name}")
    evaluation = evaluation_bags(run.recipe, data)
    lines = ["| k | mAP | micro F1 | share of the evidence |", "| --- | --- | --- | --- |"]
    for k in ks:
        kept, share = most_activated(run.network, evaluation, k)
        m_ap, micro = _worth(run, kept)
        lines.append(f"| {k} | {m_ap:.4f} | {micro:.3f} | {share:.2f} |")
    return "\n".join(lines)


def _worth(run: Run, rows: RowSet) -> tuple[float, float]:
    assert isinstance(run.network, nn.Module)
    scores, _ = predict(run.network, rows)
    truth, known = rows.bag.numpy(), rows.bag_weight.numpy()
    decisions = scores >= thresholds_of(run.result)
    found = mean_average_precision(truth, scores, known)
    return found, f1_scores(truth, np.asarray(decisions), known)["micro"]
