"""The paper's noise test and its top-k instances, on finished runs.

The paper adds the normalised VGGish vector of recorded white noise to embeddings with a probability of
10 and 20 %, and finds that keeping only the k most activated instances shows which seconds matter but
costs accuracy. What it leaves open is ours: the noise is the mean embedding of the training clips
labelled "White noise", scaled to the mean norm of an embedding; the activation of an instance is its
largest evidence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from mmgat.model.mmgat import MMGAT, MMGATOutput
from mmgat.training.data.bags import Bags
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.fit import predict
from mmgat.training.fitting.run_folder import Run, load_run, thresholds_of
from mmgat.training.metrics import f1_scores, mean_average_precision

WHITE_NOISE: Final = 520
"""Column of AudioSet's class in the tags."""

PROBABILITIES: Final = (0.0, 0.1, 0.2)


def noise_embedding(bags: Bags) -> Tensor:
    """Computes the embedding of white noise, float32 [128], with the mean norm of an embedding.

    Raises:
        TrainingDataError: no clip is labelled White noise.
    """
    labelled = bags.tags[:, WHITE_NOISE] > 0.5 if bags.tags.shape[1] > WHITE_NOISE else None
    if labelled is None or not labelled.any():
        raise TrainingDataError("expected clips labelled White noise in the training bags")
    noisy = bags.select(labelled)
    mean: Tensor = noisy.embeddings[noisy.mask()].mean(0)
    norm = bags.embeddings[bags.mask()].norm(dim=-1).mean()
    scaled: Tensor = mean * norm / mean.norm()
    return scaled


def with_noise(bags: Bags, noise: Tensor, probability: float, seed: int = 0) -> Bags:
    """Adds noise to every embedding with a probability."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.rand(bags.embeddings.shape[:2], generator=generator) < probability
    added = noise * (chosen & bags.mask())[..., None]
    return dataclasses.replace(bags, embeddings=bags.embeddings + added)


@torch.inference_mode()
def most_activated(network: MMGAT, bags: Bags, k: int) -> tuple[Bags, float]:
    """Keeps the k instances with the largest evidence, in order; returns their share of it too."""
    output: MMGATOutput = network(bags.embeddings, bags.mask())
    activation = output.evidence.amax(-1).masked_fill(~bags.mask(), -1.0)
    positions = activation.topk(min(k, activation.shape[1]), dim=1).indices.sort(dim=1).values
    lengths = bags.lengths.clamp(max=k)
    # Padding has the lowest activation, and it is last in order.
    index = torch.arange(len(bags))[:, None]
    kept = dataclasses.replace(
        bags,
        embeddings=bags.embeddings[index, positions],
        lengths=lengths,
        instance=bags.instance[index, positions],
        instance_weight=bags.instance_weight[index, positions],
    )
    total = output.evidence.sum((1, 2))
    share = output.evidence[index, positions].sum((1, 2)) / total
    return kept, float(share.mean())


def noise_table(folders: Sequence[Path], data: Path) -> str:
    """Evaluates runs with noise; a Markdown table of mean average precision and micro F1.

    Raises:
        TrainingDataError: a run or its data are missing.
    """
    lines = [
        "| network | "
        + " | ".join(f"{probability:.0%} noise" for probability in PROBABILITIES)
        + " |",
        "| --- " * (1 + len(PROBABILITIES)) + "|",
    ]
    for folder in folders:
        run = load_run(folder)
        evaluation = run.recipe.evaluation_bags(data)
        noise = noise_embedding(run.recipe.training_bags(data)[0])
        cells = []
        for probability in PROBABILITIES:
            m_ap, micro = evaluate(run, with_noise(evaluation, noise, probability))
            cells.append(f"{m_ap:.4f} / {micro:.3f}")
        lines.append(f"| {run.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def top_k_table(folder: Path, data: Path, ks: Sequence[int] = (1, 2, 3, 5, 7, 10)) -> str:
    """Evaluates a run of MMGAT on its k most activated instances; a Markdown table.

    Raises:
        TrainingDataError: the run or its data are missing, or it is not of MMGAT.
    """
    run = load_run(folder)
    if not isinstance(run.network, MMGAT):
        raise TrainingDataError(f"expected a run of mmgat in {folder}, found {run.name}")
    evaluation = run.recipe.evaluation_bags(data)
    lines = ["| k | mAP | micro F1 | share of the evidence |", "| --- | --- | --- | --- |"]
    for k in ks:
        kept, share = most_activated(run.network, evaluation, k)
        m_ap, micro = evaluate(run, kept)
        lines.append(f"| {k} | {m_ap:.4f} | {micro:.3f} | {share:.2f} |")
    return "\n".join(lines)


def evaluate(run: Run, bags: Bags) -> tuple[float, float]:
    """Computes the mean average precision and the micro F1 of a run on bags."""
    scores, _ = predict(run.network, bags)
    truth, known = bags.bag.numpy(), bags.bag_weight.numpy()
    decisions = scores >= thresholds_of(run.result)
    found = mean_average_precision(truth, scores, known)
    return found, f1_scores(truth, np.asarray(decisions), known)["micro"]
