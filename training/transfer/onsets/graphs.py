"""MMGAT learns graphs that begin at an onset, and says of all other what it said (ours).

Such a graph has one node, or one and that of a second later; before them was silence.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from mmgat.model.mmgat import MMGAT
from mmgat.training.fitting.losses import LossWeights, MMGATLoss, masked_mean
from mmgat.training.transfer.averaging import AveragedTraining, device_of
from mmgat.training.transfer.heads import (
    EmbeddedViews,
    Nodes,
    counts_of,
    draw,
    shaken,
    stretches,
    targets_of,
)
from mmgat.training.transfer.onsets.embedder import ONSET_SHARES
from mmgat.training.transfer.onsets.windows import HEARD_FRAMES, LATER

SHARES: Final = {"music": 0.6, "pieces": 0.15, "notes": 0.1, "sounds": 0.12, "noise": 0.03}
SECOND_NODE_SHARE: Final = 0.5


class OnsetFitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How MMGAT goes on.

    Attributes:
        steps: of training.
        batch: graphs that begin at an onset, and as many usual ones.
        onset_shares, shares: kind -> share of each half of a batch.
        prior_rate, learning_rate: of the labels' prior logits, and of MMGAT.
        keep: weight of what the network said of usual graphs, a sum over labels.
        newest: weight of their newest node beside the others.
        noise: standard deviation of noise on embeddings.
        presence: weight of "does anything play".
        ema: decay of the averaged weights.
    """

    steps: int = 400
    batch: int = 64
    onset_shares: dict[str, float] = msgspec.field(default_factory=ONSET_SHARES.copy)
    shares: dict[str, float] = msgspec.field(default_factory=SHARES.copy)
    prior_rate: float = 3e-4
    learning_rate: float = 1e-4
    keep: float = 6.0
    newest: float = 2.0
    noise: float = 0.1
    presence: float = 0.3
    ema: float = 0.98
    seed: int = 0


def pairs(windows: EmbeddedViews, generator: torch.Generator) -> tuple[EmbeddedViews, Tensor]:
    """Of every onset two windows a second apart, [n, 2, ...], and which of them are heard.

    A mask bool [n, 2] leaves out the second node of half of the graphs, and where no window is
    a second later.
    """
    n, device = len(windows.targets), windows.targets.device
    n_first = len(HEARD_FRAMES) - LATER + 1
    first = torch.randint(n_first, (n,), generator=generator)
    two = torch.rand(n, generator=generator) < SECOND_NODE_SHARE
    two &= first + LATER < len(HEARD_FRAMES)
    places = torch.stack([first, torch.where(two, first + LATER, first)], dim=1).to(device)
    whose = torch.arange(n, device=device)[:, None]
    chosen = EmbeddedViews(*(values[whose, places] for values in windows))
    return chosen, torch.stack([torch.ones_like(two), two], dim=1).to(device)


def log_odds(mmgat: MMGAT, embedded: Tensor, mask: Tensor) -> Tensor:
    """Log-odds [n, N, 20] of the nodes of graphs."""
    return mmgat.instances(mmgat.graph(embedded * mask.unsqueeze(-1), mask))[1]


def fit(
    nodes: Nodes,
    mmgat: MMGAT,
    onsets: dict[str, EmbeddedViews],
    embedded_views: dict[str, EmbeddedViews],
    settings: OnsetFitSettings,
    report: Callable[[str], None] = print,
) -> tuple[Nodes, MMGAT]:
    """Trains copies of the labels' prior logits and MMGAT; returns their averages.

    Args:
        nodes, mmgat: where they begin.
        onsets: kind -> what the tail says of the windows after onsets.
        embedded_views: kind -> what it says of usual clips; their targets are not used.
        settings: of the training.
        report: takes a line now and then.
    """
    torch.manual_seed(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    onset_counts = counts_of(settings.onset_shares, settings.batch, onsets)
    counts = counts_of(settings.shares, settings.batch, embedded_views)
    start_nodes, start = nodes.eval(), mmgat.eval()
    both = nn.ModuleList([copy.deepcopy(nodes), copy.deepcopy(mmgat)])
    trained_nodes, trained = both
    assert isinstance(trained_nodes, Nodes)
    assert isinstance(trained, MMGAT)
    trained_nodes.embedding.requires_grad_(False)
    sample = draw(embedded_views, {kind: 10 * n for kind, n in counts.items()}, rng)
    trained_nodes.prior.standardise(sample.features.flatten(0, 1), sample.logits.flatten(0, 1))
    loss_weights = LossWeights(presence=settings.presence)
    criterion = MMGATLoss(trained, loss_weights).to(device_of(mmgat))
    groups: list[dict[str, Any]] = [
        {
            "params": trained_nodes.prior.parameters(),
            "lr": settings.prior_rate,
            "weight_decay": 0.0,
        },
        {"params": trained.parameters(), "lr": settings.learning_rate, "weight_decay": 0.02},
        {"params": criterion.parameters(), "lr": settings.learning_rate, "weight_decay": 0.01},
    ]
    training = AveragedTraining(both.train(), groups, settings.steps, 0.15, settings.ema)
    for step in range(settings.steps):
        features, logits, y, _ = draw(embedded_views, counts, rng)
        mask, newest = stretches(len(y), generator, y.device)
        with torch.no_grad():
            kept = log_odds(start, start_nodes(features, logits), mask).sigmoid()
        embedded = shaken(trained_nodes(features, logits), settings.noise)
        said = log_odds(trained, embedded, mask)
        weights = mask * (1 + (settings.newest - 1) * newest.float())
        apart = cross_entropy(said, kept, reduction="none").sum(-1)
        kept_loss = masked_mean(apart, weights)
        chosen, heard = pairs(draw(onsets, onset_counts, rng), generator)
        embedded = shaken(trained_nodes(chosen.features, chosen.logits), settings.noise)
        output = trained(embedded * heard.unsqueeze(-1), heard)
        targets = targets_of(chosen.targets, chosen.weights, heard)
        onset_loss = criterion(trained, output, targets)
        loss = onset_loss + settings.keep * kept_loss
        training.step(loss)
        if step % 50 == 0:
            report(
                f"step {step}: onsets {float(onset_loss.detach()):.4f}, "
                f"usual graphs {float(kept_loss.detach()):.4f}"
            )
    found_nodes, found = training.average
    assert isinstance(found_nodes, Nodes)
    assert isinstance(found, MMGAT)
    return found_nodes.eval(), found.eval()
