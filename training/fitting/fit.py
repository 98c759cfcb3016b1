"""Fitting a network to bags of rows with Lightning: AdamW, one cycle, averaged weights.

The epoch whose averaged weights do best on the held-out bags is kept, or the last one if none are
held out. Every step draws from a seed of its own, so a run that was stopped and goes on gives the
numbers of one that was not.
"""

from __future__ import annotations

import dataclasses
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import lightning
import msgspec
import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    ModelCheckpoint,
)
from lightning.pytorch.loggers import TensorBoardLogger
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, DistributedSampler

from mmgat.training.data.bags import RowSet
from mmgat.training.evaluation.metrics import mean_average_precision
from mmgat.training.fitting.losses import Targets

Array = npt.NDArray[np.float32]

NETWORK: Final = "network.safetensors"

N = TypeVar("N", bound=nn.Module)


class FitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a network is fitted.

    Attributes:
        epochs: of one cycle of the learning rate.
        patience: epochs without a better held-out figure after which it ends.
        ema: decay of the averaged weights, a step.
        noise: standard deviation of Gaussian noise on the rows.
        crop: share of the batches in which only a stretch of every bag is seen.
        shortest: rows of the shortest stretch.
        splice: share of the batches in which beginnings and ends of different bags are joined.
        blend: share of the batches in which rows of different bags with weak labels are mingled.
    """

    epochs: int = 12
    patience: int = 5
    batch: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    ema: float = 0.995
    noise: float = 0.0
    crop: float = 0.0
    shortest: int = 1
    splice: float = 0.0
    blend: float = 0.0
    seed: int = 0


class Fitting(lightning.LightningModule):
    """A network with its loss and its bags, as Lightning runs them on CPU, GPU or several GPUs."""

    def __init__(
        self,
        network: nn.Module,
        criterion: nn.Module,
        train: RowSet,
        validation: RowSet | None,
        settings: FitSettings,
        report: Callable[[str], None],
        targets: Callable[[RowSet], Targets] = RowSet.targets,
    ) -> None:
        super().__init__()
        self.network, self.criterion = network, criterion
        self._train, self._validation = train, validation
        self._settings, self._report, self._targets = settings, report, targets
        self._seen: list[Any] = []

    def train_dataloader(self) -> DataLoader[RowSet]:
        sampler: DistributedSampler[int] = DistributedSampler(
            range(len(self._train)),  # type: ignore[arg-type]
            self.trainer.world_size,
            self.trainer.global_rank,
            seed=self._settings.seed,
        )
        return DataLoader(
            range(len(self._train)),  # type: ignore[arg-type]
            self._settings.batch,
            sampler=sampler,
            collate_fn=self._batch,
            drop_last=True,
            pin_memory=torch.cuda.is_available(),
        )

    def val_dataloader(self) -> DataLoader[RowSet] | list[RowSet]:
        bags = self._validation
        if bags is None:
            return []
        return DataLoader(
            range(len(bags)),  # type: ignore[arg-type]
            256,
            collate_fn=lambda index: bags.select(torch.tensor(index)),
        )

    def on_train_batch_start(self, _: RowSet, batch_idx: int) -> None:
        torch.manual_seed(
            hash((self._settings.seed, self.trainer.global_rank, self.current_epoch, batch_idx))
        )

    def transfer_batch_to_device(self, batch: RowSet, device: torch.device, _: int) -> RowSet:
        return batch.to(device, non_blocking=True)

    def training_step(self, batch: RowSet, _: int) -> Tensor:
        output = self.network.read(batch.rows, batch.mask())  # type: ignore[operator]
        loss: Tensor = self.criterion(self.network, output, self._targets(batch))
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: RowSet, _: int) -> None:
        self._seen.append(self.network.read(batch.rows, batch.mask()))  # type: ignore[operator]

    def on_validation_epoch_end(self) -> None:
        assert self._validation is not None
        bag = torch.cat([output.bag_scores for output in self._seen]).cpu().numpy()
        instance = None
        if hasattr(self._seen[0], "instance_scores"):
            instance = torch.cat([o.instance_scores for o in self._seen]).cpu().numpy()
        found = figures(self._validation, bag, instance)
        self._seen.clear()
        for name, value in found.items():
            self.log(f"map_{name}", value)
        self.log("map", sum(found.values()) / len(found), prog_bar=True)
        words = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
        if self.trainer.is_global_zero:
            self._report(f"epoch {self.current_epoch}: validation mAP {words}")

    def configure_optimizers(self) -> Any:
        s = self._settings
        optimizer = torch.optim.AdamW(
            self.parameters(), s.learning_rate, weight_decay=s.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            s.learning_rate,
            total_steps=int(self.trainer.estimated_stepping_batches),
            pct_start=0.15,
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _batch(self, index: list[int]) -> RowSet:
        """Bags of that index: cropped, spliced or blended, and noisy, by a seed of their own."""
        s = self._settings
        generator = torch.Generator().manual_seed(hash((s.seed, *index)))
        batch = self._train.select(torch.tensor(index))
        chance = float(torch.rand((), generator=generator))
        if chance < s.splice:
            batch = batch.splice(generator)
        elif chance < s.splice + s.crop:
            batch = batch.crop(generator, s.shortest)
        elif chance < s.splice + s.crop + s.blend:
            batch = batch.blend(generator)
        if not s.noise:
            return batch
        noise = s.noise * torch.randn(batch.rows.shape, generator=generator)
        return dataclasses.replace(batch, rows=batch.rows + noise)


def fit(
    network: N,
    criterion: nn.Module,
    train: RowSet,
    validation: RowSet | None,
    settings: FitSettings | None = None,
    folder: Path | None = None,
    report: Callable[[str], None] = print,
    devices: int | Literal["auto"] = "auto",
    targets: Callable[[RowSet], Targets] = RowSet.targets,
) -> N:
    """The network fitted to ``train``: of its averaged weights those with the best validation mAP.

    Args:
        network: trained in place, on GPUs or the CPU, whichever there is.
        criterion: a module ``(network, output, targets) -> loss``; its own parameters learn too.
        validation: held-out bags; without any the averaged weights of the last epoch are taken.
        settings: how.
        folder: keeps TensorBoard's log, the state of the last and the best epoch, and the network
            in ``NETWORK``; a fit in the same folder goes on where the last one stopped, or is only
            read. Without it nothing is kept.
        report: takes a line an epoch.
        devices: GPUs, or processes on the CPU; with more than one Lightning runs the program once
            for each, and every process returns the same network.
        targets: of a batch, where they are not the batch's own.
    """
    settings = settings or FitSettings()
    if folder and (folder / NETWORK).is_file():
        network.load_state_dict(load_file(folder / NETWORK))
        return network.eval()
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        home = folder or Path(scratch)
        every = ModelCheckpoint(home, "last", enable_version_counter=False)
        callbacks: list[Callback] = [EMAWeightAveraging(decay=settings.ema), every]
        keep = every
        if validation is not None:
            keep = ModelCheckpoint(
                home, "best", monitor="map", mode="max", enable_version_counter=False
            )
            callbacks += [keep, EarlyStopping("map", patience=settings.patience, mode="max")]
        trainer = lightning.Trainer(
            devices=devices,
            max_epochs=settings.epochs,
            callbacks=callbacks,
            logger=TensorBoardLogger(home, name=None, version="log") if folder else False,
            gradient_clip_val=1.0,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # the module's own sampler shuffles by seed and epoch
            enable_model_summary=False,
            log_every_n_steps=10,
        )
        module = Fitting(network, criterion, train, validation, settings, report, targets)
        last = home / "last.ckpt"
        trainer.fit(module, ckpt_path=last if last.is_file() else None, weights_only=True)
        best = torch.load(keep.best_model_path, map_location="cpu", weights_only=True)
        module.cpu().load_state_dict(best["state_dict"])
        if folder and trainer.is_global_zero:
            save_file(network.state_dict(), folder / NETWORK)
    return network.eval()


@torch.inference_mode()
def predict(network: nn.Module, rows: RowSet, batch: int = 256) -> tuple[Array, Array | None]:
    """Bag scores [n, 20], and instance scores [n, N, 20] of a network that gives them.

    Computed where the network is.
    """
    network.eval()
    device = next(network.parameters()).device
    bags, instances = [], []
    for part in torch.split(torch.arange(len(rows)), batch):
        some = rows.select(part).to(device)
        output = network.read(some.rows, some.mask())  # type: ignore[operator]
        bags.append(output.bag_scores)
        if hasattr(output, "instance_scores"):
            instances.append(output.instance_scores)
    instance = torch.cat(instances).cpu().numpy() if instances else None
    return torch.cat(bags).cpu().numpy(), instance


def validate(network: nn.Module, rows: RowSet) -> dict[str, float]:
    """Mean average precision of bags, and of seconds where those are known."""
    return figures(rows, *predict(network, rows))


def figures(rows: RowSet, bag: Array, instance: Array | None) -> dict[str, float]:
    """What scores are worth on those bags: ``clips`` and, where seconds are known, ``seconds``."""
    found = {"clips": mean_average_precision(rows.bag.numpy(), bag, rows.bag_weight.numpy())}
    if instance is not None and rows.instance_weight.any():
        found["seconds"] = mean_average_precision(
            rows.instance.numpy(), instance, rows.instance_weight.numpy()
        )
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's advertisements and its advice on workers: the rows are in memory."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
