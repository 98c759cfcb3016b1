"""What every training here does: AdamW, one cycle, clipped gradients, averaged weights (ours)."""

from __future__ import annotations

import copy
from typing import Any, Final, Generic, TypeVar

import torch
from torch import Tensor, nn

MAX_NORM: Final = 1.0
Module = TypeVar("Module", bound=nn.Module)


class AveragedTraining(Generic[Module]):
    """Trains a module, and keeps a moving average of its weights.

    Args:
        module: is trained; its gradients are clipped together.
        groups: of parameters with ``lr`` and ``weight_decay``, as AdamW takes them.
        n_steps: in all.
        warm_up: share of them until the rate is highest.
        decay: of the average; the first steps count less.
    """

    def __init__(
        self,
        module: Module,
        groups: list[dict[str, Any]],
        n_steps: int,
        warm_up: float,
        decay: float,
    ) -> None:
        self._module, self._decay, self._n_done = module, decay, 0
        self.average = copy.deepcopy(module)
        self._optimizer = torch.optim.AdamW(groups)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimizer, [group["lr"] for group in groups], n_steps, pct_start=warm_up
        )

    def step(self, loss: Tensor) -> None:
        """Goes one step down the loss."""
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._module.parameters(), MAX_NORM)
        self._optimizer.step()
        self._schedule.step()
        done = self._n_done
        follow(self.average, self._module, min(self._decay, (done + 1) / (done + 10)))
        self._n_done += 1


@torch.no_grad()
def follow(average: nn.Module, trained: nn.Module, decay: float) -> None:
    """Moves averaged weights towards the trained ones."""
    for mean, value in zip(average.parameters(), trained.parameters(), strict=True):
        mean.lerp_(value, 1 - decay)


@torch.no_grad()
def part_of_the_way(to: nn.Module, start: nn.Module, share: float) -> None:
    """Leaves ``to`` a share of the way from ``start`` (WiSE-FT, Wortsman et al. 2022)."""
    for value, first in zip(to.parameters(), start.parameters(), strict=True):
        value.copy_(first.lerp(value, share))


def device_of(module: nn.Module) -> torch.device:
    """Where a module's weights are."""
    return next(module.parameters()).device
