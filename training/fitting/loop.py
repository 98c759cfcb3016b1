"""The training loop, run by Lightning: AdamW, one cycle of the learning rate, averaged weights.

Every step has random numbers of its own seed, so a run that was stopped and resumed gives the numbers
of one that was not.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import lightning
import msgspec
import torch
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    ModelCheckpoint,
)
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader, Dataset, DistributedSampler

MONITORED: Final = "map"
"""Validation metric that chooses the best epoch and stops training early."""


class LoopSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the training loop.

    Attributes:
        epochs: in one cycle of the learning rate.
        patience: validations without a better metric after which training ends.
        validate_every: epochs between validations; a factor of ``epochs``, or the last are lost.
        batch: bags or clips in a batch.
        learning_rate: the highest of the cycle.
        weight_decay: of AdamW.
        ema: decay of the averaged weights, a step.
        gradient_norm: largest norm of the gradient.
        seed: of all random numbers.
    """

    epochs: int = 12
    patience: int = 5
    validate_every: int = 1
    batch: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    ema: float = 0.995
    gradient_norm: float = 1.0
    seed: int = 0


class Fitting(lightning.LightningModule):
    """What is trained: a subclass adds network, loss and data, and logs ``MONITORED``."""

    def __init__(self, settings: LoopSettings) -> None:
        super().__init__()
        self.settings = settings

    def shuffled(
        self, size: int, collate: Callable[[list[int]], Any], drop_last: bool
    ) -> DataLoader[int]:
        """Loads batches in random order by seed and epoch, shared among the processes.

        Args:
            size: number of examples.
            collate: makes a batch from the numbers of its examples.
            drop_last: leave out a last batch that is not full.
        """
        numbers = _Numbers(size)
        sampler: DistributedSampler[int] = DistributedSampler(
            numbers, self.trainer.world_size, self.trainer.global_rank, seed=self.settings.seed
        )
        return DataLoader(
            numbers,
            self.settings.batch,
            sampler=sampler,
            collate_fn=collate,
            drop_last=drop_last,
            pin_memory=torch.cuda.is_available(),
        )

    def in_order(
        self, size: int, collate: Callable[[list[int]], Any], batch: int = 256
    ) -> DataLoader[int]:
        """Loads batches of all examples in order; see ``shuffled`` for the arguments."""
        return DataLoader(_Numbers(size), batch, collate_fn=collate)

    def on_train_batch_start(self, _: object, batch_idx: int) -> None:
        """Seeds the random numbers of a step."""
        torch.manual_seed(
            hash((self.settings.seed, self.trainer.global_rank, self.current_epoch, batch_idx))
        )

    def configure_optimizers(self) -> Any:
        """Sets up AdamW with a learning rate of one cycle."""
        settings = self.settings
        optimizer = torch.optim.AdamW(
            self.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            settings.learning_rate,
            total_steps=int(self.trainer.estimated_stepping_batches),
            pct_start=0.15,
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


class _Numbers(Dataset[int]):
    """The numbers of the examples, which lie in memory: a batch is made from them at once."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> int:
        return index


def train(
    module: Fitting,
    folder: Path | None = None,
    *,
    select_best: bool = True,
    devices: int | Literal["auto"] = "auto",
    stop_after: int | None = None,
) -> bool:
    """Trains a module in place and leaves it on the CPU with its averaged weights.

    Args:
        module: what is trained.
        folder: keeps TensorBoard's log and the state of the last and the best epoch; training in the
            same folder resumes where it stopped. Nothing is kept if not given.
        select_best: take the weights of the epoch with the best validation metric and stop early;
            otherwise take those of the last epoch.
        devices: number of GPUs, or of processes on the CPU; with more than one Lightning runs the
            program once for each, and every process returns the same weights.
        stop_after: end after this epoch of the plan, to be resumed.

    Returns:
        whether this process is the one that writes files.
    """
    settings = module.settings
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        home = folder or Path(scratch)
        last = ModelCheckpoint(home, "last", enable_version_counter=False)
        callbacks: list[Callback] = [EMAWeightAveraging(decay=settings.ema), last]
        kept = last
        if select_best:
            kept = ModelCheckpoint(
                home, "best", monitor=MONITORED, mode="max", enable_version_counter=False
            )
            callbacks += [kept, EarlyStopping(MONITORED, patience=settings.patience, mode="max")]
        if stop_after is not None:
            callbacks.append(_StopAfter(stop_after))
        trainer = lightning.Trainer(
            devices=devices,
            max_epochs=settings.epochs,
            check_val_every_n_epoch=min(settings.validate_every, settings.epochs),
            callbacks=callbacks,
            logger=TensorBoardLogger(home, name=None, version="log") if folder else False,
            gradient_clip_val=settings.gradient_norm,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # a module's own sampler shuffles by seed and epoch
            enable_model_summary=False,
            log_every_n_steps=10,
        )
        state = home / "last.ckpt"
        trainer.fit(module, ckpt_path=state if state.is_file() else None, weights_only=True)
        best = torch.load(kept.best_model_path, map_location="cpu", weights_only=True)
        module.cpu().load_state_dict(best["state_dict"])
        return bool(trainer.is_global_zero)


class _StopAfter(Callback):
    """Ends training after an epoch of the plan."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        if trainer.current_epoch + 1 >= self._epoch:
            trainer.should_stop = True


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences Lightning's advertisements, and its advice on workers: the data are in memory."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
