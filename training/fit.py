"""Fitting MMGAT on embedding rows: AdamW, one cycle, averaged weights, the best epoch kept."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from model.mmgat import MMGAT, MMGATConfig
from training.losses import LossWeights, MMGATLoss
from training.metrics import mean_average_precision
from training.rows import RowSet, batches


@dataclass(frozen=True)
class FitSettings:
    """How a network is fitted.

    Attributes:
        epochs: of one cycle of the learning rate.
        shortest: rows of the shortest crop of a bag; crops are a part of what is seen.
        splice: also show beginnings and ends of different bags joined.
        ema: decay of the averaged weights, a step.
        noise: standard deviation of Gaussian noise on the rows.
    """

    epochs: int = 12
    batch: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    ema: float = 0.998
    shortest: int = 1
    splice: bool = False
    noise: float = 0.1
    seed: int = 0
    loss: LossWeights = LossWeights()


def fit(
    train: RowSet,
    validation: RowSet,
    text: Tensor,
    config: MMGATConfig | None = None,
    settings: FitSettings | None = None,
    report: Callable[[str], None] = print,
) -> MMGAT:
    """MMGAT trained on ``train``; of the epochs the one with the best validation mAP.

    Args:
        text: float32 [20, E] text embeddings of the labels.
        report: takes a line an epoch.
    """
    config, settings = config or MMGATConfig(), settings or FitSettings()
    torch.manual_seed(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    model = MMGAT(config, text)
    loss = MMGATLoss(config.hidden, settings.loss)
    ema = get_ema_multi_avg_fn(settings.ema)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(model, multi_avg_fn=ema)
    smooth: MMGAT = averaged.module  # type: ignore[assignment]
    parameters = [*model.parameters(), *loss.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, settings.learning_rate, weight_decay=settings.weight_decay
    )
    n_steps = settings.epochs * (len(train) // settings.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=n_steps, pct_start=0.2
    )
    best, best_map = copy.deepcopy(model), -1.0
    for epoch in range(settings.epochs):
        model.train()
        total = 0.0
        progress = tqdm(batches(train, settings.batch, generator), f"epoch {epoch}", leave=False)
        for step, batch in enumerate(progress):
            match step % (3 if settings.splice else 2):
                case 1:
                    batch = batch.crop(generator, settings.shortest)
                case 2:
                    batch = batch.splice(generator)
            noise = settings.noise * torch.randn(batch.rows.shape, generator=generator)
            output = model(model.graph(batch.rows + noise, batch.mask()))
            value = loss(model, output, batch.targets())
            optimizer.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            averaged.update_parameters(model)
            total += float(value.detach())
        figures = validate(smooth, validation)
        words = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
        report(f"epoch {epoch}: loss {total / (step + 1):.4f}, validation mAP {words}")
        if (score := sum(figures.values()) / len(figures)) > best_map:
            best, best_map = copy.deepcopy(smooth), score
    return best.eval()


def validate(model: MMGAT, rows: RowSet) -> dict[str, float]:
    """Mean average precision of bags, and of seconds where those are known."""
    bag, instance = predict(model, rows)
    figures = {"clips": mean_average_precision(rows.bag.numpy(), bag, rows.bag_weight.numpy())}
    if rows.instance_weight.any():
        figures["seconds"] = mean_average_precision(
            rows.instance.numpy(), instance, rows.instance_weight.numpy()
        )
    return figures


@torch.inference_mode()
def predict(
    model: MMGAT, rows: RowSet, batch: int = 256
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Bag scores [n, 20] and instance scores [n, N, 20]."""
    model.eval()
    bags, instances = [], []
    for start in range(0, len(rows), batch):
        part = rows.select(torch.arange(start, min(start + batch, len(rows))))
        output = model(model.graph(part.rows, part.mask()))
        bags.append(output.bag_scores)
        instances.append(output.instance_scores)
    return torch.cat(bags).numpy(), torch.cat(instances).numpy()
