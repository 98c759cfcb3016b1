"""The embedder learns sound that begins after silence, and says of all other what it said (ours).

A window that is mostly silence is unlike those that the tail was trained on. Learning it alone would
move all that depends on the tail, so full windows are held to the embedder's own former nodes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from mmgat.model.checkpoint import save_tensors
from mmgat.model.embedders.base import EMBEDDING_SIZE
from mmgat.model.embedders.tagger import TaggerEmbedder, load_tagger
from mmgat.model.labels import N_LABELS
from mmgat.training.fitting.losses import masked_mean
from mmgat.training.transfer.averaging import AveragedTraining, device_of
from mmgat.training.transfer.backbone import Tail
from mmgat.training.transfer.heads import Nodes, counts_of
from mmgat.training.transfer.tail import TargetedViews

PRIOR: Final = slice(EMBEDDING_SIZE, EMBEDDING_SIZE + N_LABELS)
"""Where a node holds its prior logits; before them is the embedding, behind them are the tags."""

ONSET_SHARES: Final = {"music": 0.6, "pieces": 0.15, "notes": 0.15, "sounds": 0.1}
FULL_SHARES: Final = {"music": 0.5, "pieces": 0.15, "notes": 0.15, "sounds": 0.15, "noise": 0.05}
HEARD_ODDS: Final = (0.2, 0.15, 0.2, 0.15, 0.12, 0.1, 0.08)
"""How often each of an onset's windows is drawn: the earliest live ones decide first."""

EMBEDDING_KEPT: Final = 0.02
TAGS_KEPT: Final = 0.05
WINDOWS_A_BATCH: Final = 256


class OnsetTailSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the embedder goes on.

    Attributes:
        steps: of training.
        batch: windows after an onset, and as many full ones.
        onset_shares, full_shares: kind -> share of each half of a batch.
        learning_rate: of the network's second half and the prior.
        classes_rate: that of the classes, as a share of it.
        keep: weight of what the embedder said of full windows.
        ema: decay of the averaged weights.
    """

    steps: int = 400
    batch: int = 64
    onset_shares: dict[str, float] = msgspec.field(default_factory=ONSET_SHARES.copy)
    full_shares: dict[str, float] = msgspec.field(default_factory=FULL_SHARES.copy)
    learning_rate: float = 2e-4
    classes_rate: float = 0.3
    keep: float = 9.0
    ema: float = 0.98
    seed: int = 0


def draw(
    views: dict[str, TargetedViews],
    counts: dict[str, int],
    rng: np.random.Generator,
    odds: tuple[float, ...] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Middles [n, 32, 8, 13], targets and weights [n, 20] of random windows; ``odds`` of places."""
    found: tuple[list[Any], ...] = ([], [], [])
    for kind, n in counts.items():
        part, targets, weights = views[kind]
        which = rng.integers(len(targets), size=n)
        places = rng.choice(targets.shape[1], size=n, p=odds)
        for values, more in zip(found, (part["middle"], targets, weights), strict=True):
            values.append(more[which, places].astype(np.float32))
    middle, y, w = (torch.from_numpy(np.concatenate(values)) for values in found)
    return middle.contiguous(memory_format=torch.channels_last), y, w


def away(found: Tensor, kept: Tensor) -> Tensor:
    """How far nodes [n, 181] are from what they were: divergence of labels, squares of the rest."""
    soft = kept[:, PRIOR].sigmoid()
    labels = cross_entropy(found[:, PRIOR], soft) - cross_entropy(kept[:, PRIOR], soft)
    squares = (found - kept).square()
    embedding = squares[:, : PRIOR.start].mean()
    tags = squares[:, PRIOR.stop :].mean()
    return labels + EMBEDDING_KEPT * embedding + TAGS_KEPT * tags


@torch.inference_mode()
def onset_loss(tail: Tail, nodes: Nodes, views: TargetedViews) -> float:
    """Log loss of the prior logits, beyond the targets' own entropy; mean of all windows."""
    losses, device = [], device_of(tail)
    for place in range(views.targets.shape[1]):
        y, w = (torch.from_numpy(v[:, place]).to(device) for v in (views.targets, views.weights))
        prior = torch.cat(
            [
                nodes(*tail(torch.from_numpy(some[:, place]).to(device).float()))[:, PRIOR]
                for some in np.array_split(views.part["middle"], -(-len(y) // WINDOWS_A_BATCH))
            ]
        )
        least = y.clamp(1e-6, 1 - 1e-6).logit()
        beyond = cross_entropy(prior, y, reduction="none")
        beyond = beyond - cross_entropy(least, y, reduction="none")
        losses.append(float(masked_mean(beyond, w)))
    return float(np.mean(losses))


def train(
    tail: Tail,
    nodes: Nodes,
    onsets: dict[str, TargetedViews],
    full: dict[str, TargetedViews],
    settings: OnsetTailSettings,
    report: Callable[[str], None] = print,
) -> tuple[Tail, Nodes]:
    """Trains copies of tail and prior; returns their averages.

    Args:
        tail, nodes: as ``parts_of`` gives them.
        onsets: kind -> windows after an onset.
        full: kind -> views whose nodes heard two seconds.
        settings: of the training.
        report: takes a line now and then.
    """
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    onset_counts = counts_of(settings.onset_shares, settings.batch, onsets)
    full_counts = counts_of(settings.full_shares, settings.batch, full)
    both = nn.ModuleList([copy.deepcopy(tail), copy.deepcopy(nodes)])
    trained_tail, trained_nodes = both
    assert isinstance(trained_tail, Tail)
    assert isinstance(trained_nodes, Nodes)
    start_tail, start_nodes, device = tail.eval(), nodes.eval(), device_of(tail)
    trained_nodes.embedding.requires_grad_(False)
    with torch.inference_mode():
        sample = torch.cat([draw(full, full_counts, rng)[0] for _ in range(10)]).to(device)
        features, logits = (values.clone() for values in start_tail(sample))
    trained_nodes.prior.standardise(features, logits)
    rate = settings.learning_rate
    groups: list[dict[str, Any]] = [
        {"params": trained_tail.layers.parameters(), "lr": rate, "weight_decay": 1e-3},
        {
            "params": trained_tail.classes.parameters(),
            "lr": rate * settings.classes_rate,
            "weight_decay": 1e-3,
        },
        {"params": trained_nodes.prior.parameters(), "lr": rate, "weight_decay": 0.0},
    ]
    training = AveragedTraining(both, groups, settings.steps, 0.1, settings.ema)
    for step in range(settings.steps):
        early, y, w = (v.to(device) for v in draw(onsets, onset_counts, rng, HEARD_ODDS))
        middle = torch.cat([early, draw(full, full_counts, rng)[0].to(device)])
        found = trained_nodes(*trained_tail(middle))
        with torch.no_grad():
            kept = start_nodes(*start_tail(middle[len(y) :]))
        labels = masked_mean(cross_entropy(found[: len(y), PRIOR], y, reduction="none"), w)
        moved = away(found[len(y) :], kept)
        loss = labels + settings.keep * moved
        training.step(loss)
        if step % 50 == 0:
            report(f"step {step}: onsets {labels:.4f}, full windows away {moved:.5f}")
    found_tail, found_nodes = training.average
    assert isinstance(found_tail, Tail)
    assert isinstance(found_nodes, Nodes)
    return found_tail.eval(), found_nodes.eval()


def origin_of(
    checkpoint_sha256: str,
    settings: OnsetTailSettings,
    onsets: dict[str, TargetedViews],
    full: dict[str, TargetedViews],
) -> dict[str, str]:
    """What a trained embedder depends on: checkpoint, settings, and how much it hears."""
    return {
        "checkpoint": checkpoint_sha256,
        "settings": msgspec.json.encode(settings).decode(),
        "onsets": str({kind: len(views.targets) for kind, views in sorted(onsets.items())}),
        "full": str({kind: len(views.targets) for kind, views in sorted(full.items())}),
    }


def save(path: Path, embedder: TaggerEmbedder, origin: dict[str, str]) -> None:
    """Writes the trained embedder, and what it was trained from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_tensors(embedder.state_dict(), partial, origin)
    partial.rename(path)


def finished(path: Path, origin: dict[str, str]) -> TaggerEmbedder | None:
    """The embedder that ``save`` wrote, if it was trained from the same."""
    if not path.is_file():
        return None
    with safe_open(path, framework="pt") as file:
        if file.metadata() != origin:
            return None
    return load_tagger(load_file(path), TaggerEmbedder.variant)
