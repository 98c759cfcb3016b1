"""How seconds of the graph speak for each other: two numbers of MMGAT's context (ours).

A clip as it is holds one piece of music, and of such clips MMGAT learns that all ten seconds count
alike. Where instruments follow each other without a rest, the seconds before the change then speak
for what is over. Here the last seconds of one clip come before the first of another, and how much
likeness and nearness count is chosen from a grid, the same for all labels: of what is as good on
music as it is, the best right behind the change with which held-out sounds cause no more events than
before. All else stays as it was learned; the operating points are chosen anew.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmgat.model.mmgat import MMGAT
from mmgat.training.errors import TrainingDataError
from mmgat.training.transfer.operating_points import KIND_WEIGHTS

LIKENESS: Final = (0.0, 1.0, 2.0, 3.0, 4.0)
"""What a cosine of 1 adds to a node's closeness, beside one of 0."""

DECAY: Final = (0.02, 0.05, 0.1, 0.2)
"""E-folds a second."""

AS_GOOD: Final = 1.01
"""Log loss on music as it is, as a multiple of the least, that counts as good."""

AFTER: Final = (1, 2, 3)
"""So many seconds behind a change are scored."""

WHOLE: Final = (3, 6, 10)
"""Lengths of unchanged stretches whose newest second is scored."""


class Rows(NamedTuple):
    """Held-out clips of one kind, embedded.

    Attributes:
        nodes: float32 [n, 10, D], rows that MMGAT reads.
        targets, weights: float32 [n, 10, 20], as of ``TargetedViews``.
    """

    nodes: Tensor
    targets: Tensor
    weights: Tensor


class Choice(NamedTuple):
    """A context, and its log loss beyond the targets' own entropy.

    Attributes:
        likeness, decay: of ``PriorContext``, of all labels; e-folds a second.
        whole: on music as it is.
        changed: behind changes, on all kinds in which something plays.
    """

    likeness: float
    decay: float
    whole: float
    changed: float


def set_context(mmgat: MMGAT, likeness: float, decay: float) -> None:
    """Gives all labels the same context.

    Raises:
        TrainingDataError: the network has none.
    """
    if mmgat.prior is None:
        raise TrainingDataError("expected an MMGAT that adds to prior logits, found one without")
    with torch.no_grad():
        mmgat.prior.likeness.fill_(likeness)
        mmgat.prior.decay.fill_(math.log(math.expm1(decay)))


def choices(
    mmgat: MMGAT, held_out: dict[str, Rows], report: Callable[[str], None] = print, seed: int = 0
) -> list[Choice]:
    """Contexts as good on held-out music as any, the best behind changes first.

    Args:
        mmgat: with prior logits.
        held_out: rows of every kind in ``KIND_WEIGHTS``.
        report: takes a line a context.
        seed: of which clips are joined.

    Raises:
        TrainingDataError: the network has no context; otherwise it has the last of the grid then.
    """
    rng = np.random.default_rng(seed)
    order = {kind: rng.permutation(len(held_out[kind].targets)) for kind in KIND_WEIGHTS}
    found = []
    for likeness, decay in itertools.product(LIKENESS, DECAY):
        set_context(mmgat, likeness, decay)
        music = held_out["music"]
        whole = np.mean([_loss(mmgat, music, music.nodes[:, :n], n - 1) for n in WHOLE])
        changed = sum(
            share * np.mean([_behind(mmgat, held_out[kind], order[kind], n) for n in AFTER])
            for kind, share in KIND_WEIGHTS.items()
        )
        found.append(Choice(likeness, decay, float(whole), float(changed)))
        report(
            f"likeness {likeness:g}, decay {decay:g}: loss on music {whole:.4f}, "
            f"behind changes {changed:.4f}"
        )
    least = min(choice.whole for choice in found)
    good = [choice for choice in found if choice.whole <= AS_GOOD * least]
    return sorted(good, key=lambda choice: choice.changed)


def joined(nodes: Tensor, order: npt.NDArray[np.int64], n_new: int) -> Tensor:
    """The first ``n_new`` rows of each clip behind the last of another: [n, 10, D]."""
    others = nodes[torch.from_numpy(order)]
    return torch.cat([others[:, n_new:], nodes[:, :n_new]], dim=1)


def _behind(mmgat: MMGAT, rows: Rows, order: npt.NDArray[np.int64], n_new: int) -> float:
    return _loss(mmgat, rows, joined(rows.nodes, order, n_new), n_new - 1)


@torch.inference_mode()
def _loss(mmgat: MMGAT, rows: Rows, graphs: Tensor, second: int) -> float:
    """Of the newest node, whose targets are those of a second of its clip."""
    logits = mmgat.instances(mmgat.graph(graphs))[1][:, -1].double()
    targets, weights = rows.targets[:, second].double(), rows.weights[:, second].double()
    loss: Any = torch.nn.functional.binary_cross_entropy_with_logits
    own = loss(torch.logit(targets, 1e-6), targets, reduction="none")
    beyond = loss(logits, targets, reduction="none") - own
    return float((beyond * weights).sum() / weights.sum().clamp(min=1e-6))
