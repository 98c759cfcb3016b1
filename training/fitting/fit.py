"""Fitting a network to bags of embeddings, and the scores that it gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmgat.model.bag_model import BagModel, BagOutput
from mmgat.model.checkpoint import save_tensors
from mmgat.training.data.bags import Bags, Targets
from mmgat.training.fitting.loop import MONITORED, Fitting, LoopSettings, train
from mmgat.training.metrics import mean_average_precision

Array = npt.NDArray[np.float32]

NETWORK: Final = "network.safetensors"

N = TypeVar("N", bound=BagModel)


class FitSettings(LoopSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a network is fitted to bags.

    Attributes:
        noise: standard deviation of Gaussian noise on the embeddings.
        crop: share of the batches whose bags are cropped.
        shortest: embeddings of the shortest crop.
        longest: embeddings of the longest crop; 0 is without limit.
        temporal_cutmix: share of the batches that join the beginnings and ends of different bags.
        instance_mix: share of the batches that mix embeddings of different bags with weak labels.
    """

    noise: float = 0.0
    crop: float = 0.0
    shortest: int = 1
    longest: int = 0
    temporal_cutmix: float = 0.0
    instance_mix: float = 0.0


class BagFitting(Fitting):
    """A network with its loss and its bags, which lie in memory.

    Args:
        network: is trained in place.
        criterion: a module ``(network, output, targets) -> loss``; its own parameters learn too.
        bags: to train on.
        validation: held-out bags, if there are any.
        settings: of the training.
        report: takes a line an epoch.
        targets: of a batch.
    """

    settings: FitSettings

    def __init__(
        self,
        network: BagModel,
        criterion: nn.Module,
        bags: Bags,
        validation: Bags | None,
        settings: FitSettings,
        report: Callable[[str], None],
        targets: Callable[[Bags], Targets] = Bags.targets,
    ) -> None:
        super().__init__(settings)
        self.network, self.criterion = network, criterion
        self._bags, self._validation = bags, validation
        self._report, self._targets = report, targets
        self._outputs: list[BagOutput] = []

    def train_dataloader(self) -> DataLoader[int]:
        """Loads the bags in random order."""
        return self.shuffled(len(self._bags), self._batch, drop_last=True)

    def val_dataloader(self) -> DataLoader[int] | list[Bags]:
        """Loads the held-out bags in order, if there are any."""
        bags = self._validation
        if bags is None:
            return []
        return self.in_order(len(bags), lambda index: bags.select(torch.tensor(index)))

    def transfer_batch_to_device(self, batch: Bags, device: torch.device, _: int) -> Bags:
        """Copies a batch to the device."""
        return batch.to(device, non_blocking=True)

    def training_step(self, batch: Bags, _: int) -> Tensor:
        """Computes the loss of a batch."""
        output = self.network(batch.embeddings, batch.mask())
        loss: Tensor = self.criterion(self.network, output, self._targets(batch))
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Bags, _: int) -> None:
        """Keeps the output of a batch."""
        self._outputs.append(self.network(batch.embeddings, batch.mask()))

    def on_validation_epoch_end(self) -> None:
        """Logs and reports the mean average precision of the held-out bags."""
        assert self._validation is not None
        found = evaluate(self._validation, *_scores(self._outputs))
        self._outputs.clear()
        for name, value in found.items():
            self.log(f"map_{name}", value)
        self.log(MONITORED, sum(found.values()) / len(found), prog_bar=True)
        words = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
        if self.trainer.is_global_zero:
            self._report(f"epoch {self.current_epoch}: validation mAP {words}")

    def _batch(self, index: list[int]) -> Bags:
        """Bags of an index: mixed or cropped, and noisy, with random numbers of their own seed."""
        settings = self.settings
        generator = torch.Generator().manual_seed(hash((settings.seed, *index)))
        batch = self._bags.select(torch.tensor(index))
        chance = float(torch.rand((), generator=generator))
        if chance < settings.temporal_cutmix:
            batch = batch.temporal_cutmix(generator)
        elif chance < settings.temporal_cutmix + settings.crop:
            batch = batch.crop(generator, settings.shortest, settings.longest)
        elif chance < settings.temporal_cutmix + settings.crop + settings.instance_mix:
            batch = batch.instance_mix(generator)
        if not settings.noise:
            return batch
        noise = settings.noise * torch.randn(batch.embeddings.shape, generator=generator)
        return dataclasses.replace(batch, embeddings=batch.embeddings + noise)


def fit(
    network: N,
    criterion: nn.Module,
    bags: Bags,
    validation: Bags | None,
    settings: FitSettings | None = None,
    folder: Path | None = None,
    report: Callable[[str], None] = print,
    devices: int | Literal["auto"] = "auto",
    targets: Callable[[Bags], Targets] = Bags.targets,
) -> N:
    """Fits a network to bags and returns it with its averaged weights, in evaluation mode.

    The weights are those of the epoch with the best mean average precision on ``validation``, or of
    the last epoch without it.

    Args:
        network: is trained in place, on GPUs or on the CPU, whichever there is.
        criterion: a module ``(network, output, targets) -> loss``; its own parameters learn too.
        bags: to train on.
        validation: held-out bags.
        settings: of the training.
        folder: keeps TensorBoard's log, the state of the last and the best epoch, and the network
            in ``NETWORK``; a fit in the same folder resumes where the last one stopped, or only
            reads the network. Nothing is kept if not given.
        report: takes a line an epoch.
        devices: as in ``mmgat.training.fitting.loop.train``.
        targets: of a batch, if they are not the batch's own.
    """
    settings = settings or FitSettings()
    if folder and (folder / NETWORK).is_file():
        network.load_state_dict(load_file(folder / NETWORK))
        return network.eval()
    module = BagFitting(network, criterion, bags, validation, settings, report, targets)
    writes = train(module, folder, select_best=validation is not None, devices=devices)
    if folder and writes:
        save_tensors(network.state_dict(), folder / NETWORK)
    return network.eval()


@torch.inference_mode()
def predict(network: BagModel, bags: Bags, batch: int = 256) -> tuple[Array, Array | None]:
    """Computes bag scores [n, 20], and instance scores [n, N, 20] if the network gives them.

    It computes on the device where the network is.
    """
    network.eval()
    device = next(network.parameters()).device
    outputs: list[BagOutput] = []
    for index in torch.split(torch.arange(len(bags)), batch):
        part = bags.select(index).to(device)
        outputs.append(network(part.embeddings, part.mask()))
    return _scores(outputs)


def _scores(outputs: list[BagOutput]) -> tuple[Array, Array | None]:
    """Bag scores and instance scores of all batches."""
    instances = [scores for o in outputs if (scores := o.instance_scores) is not None]
    bag: Array = torch.cat([output.bag_scores for output in outputs]).cpu().numpy()
    instance: Array | None = torch.cat(instances).cpu().numpy() if instances else None
    return bag, instance


def validate(network: BagModel, bags: Bags) -> dict[str, float]:
    """Computes the mean average precision of a network, see ``evaluate``."""
    return evaluate(bags, *predict(network, bags))


def evaluate(bags: Bags, bag: Array, instance: Array | None) -> dict[str, float]:
    """Computes mean average precision: of ``clips`` and, where those are known, of ``seconds``."""
    found = {"clips": mean_average_precision(bags.bag.numpy(), bag, bags.bag_weight.numpy())}
    if instance is not None and bags.instance_weight.any():
        found["seconds"] = mean_average_precision(
            bags.instance.numpy(), instance, bags.instance_weight.numpy()
        )
    return found
