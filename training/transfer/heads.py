"""MMGAT on top of the trained tail: what a graph of nodes adds to their prior logits (ours)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from mmgat.model.embedders.base import EMBEDDING_SIZE
from mmgat.model.embedders.mobilenet import N_FEATURES
from mmgat.model.embedders.tagger import TAG_CENTRE, TAG_SCALE
from mmgat.model.embedders.tags import NODE_SIZE, TAGS
from mmgat.model.mmgat import MMGAT, MMGATConfig
from mmgat.training.data.bags import Targets
from mmgat.training.data.label_text import LabelText
from mmgat.training.fitting.losses import LossWeights, MMGATLoss
from mmgat.training.transfer.audio.parts import N_NODES
from mmgat.training.transfer.averaging import AveragedTraining, device_of, part_of_the_way
from mmgat.training.transfer.backbone import Tail
from mmgat.training.transfer.tail import Prior, TargetedViews

STATE_SIZES: Final = (512, 256)
DROPOUTS: Final = (0.1, 0.4)
WHOLE_SHARE: Final = 0.4
"""Share of the graphs that end with the last node, and of those that begin with the first."""

FEATURES_A_BATCH: Final = 32
SHARES: Final = {"music": 0.5, "pieces": 0.07, "notes": 0.07, "sounds": 0.26, "noise": 0.1}
"""Of a batch."""


PARTS: Final[dict[str, dict[str, Any]]] = {
    "graph": {"n_layers": 0},
    "labels": {"text_size": 0},
    "temporal": {"scales": ("near-3", "wide-0.1")},
    "near": {"scales": ("temporal-1", "wide-0.1")},
    "wide": {"scales": ("temporal-1", "near-3")},
}
"""Parts of MMGAT and how each is left out: the whole graph, label semantics, each of its scales."""


class FitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How MMGAT is fitted.

    Attributes:
        epochs: over the views of music.
        batch: graphs.
        shares: kind -> share of a batch; music is about half.
        learning_rate, context_rate: of MMGAT, and of how it mixes prior logits.
        newest: weight of the newest node, which live recognition reports, beside the others.
        noise: standard deviation of noise on embeddings.
        presence: weight of "does anything play".
        ema: decay of the averaged weights.
        way: share of the way from the mean of the prior logits that is gone in the end.
    """

    epochs: float = 3.0
    batch: int = 96
    shares: dict[str, float] = msgspec.field(default_factory=SHARES.copy)
    learning_rate: float = 3e-4
    context_rate: float = 1e-3
    newest: float = 2.0
    noise: float = 0.1
    presence: float = 0.1
    ema: float = 0.99
    way: float = 0.7
    seed: int = 0


class EmbeddedViews(NamedTuple):
    """Features [n, 10, 384], logits [n, 10, 527], targets and weights [n, 10, 20]; float32."""

    features: Tensor
    logits: Tensor
    targets: Tensor
    weights: Tensor


class Nodes(nn.Module):
    """Features and class logits -> nodes float32 [..., 181]: embedding, prior logits, tags.

    The embedding begins as the principal components of the features, half whitened: similarities
    between seconds are then of all that differs among sounds, and not of loudness alone.
    """

    def __init__(self, prior: Prior, class_names: list[str]) -> None:
        super().__init__()
        self.prior = prior
        self.embedding = nn.Linear(N_FEATURES, EMBEDDING_SIZE)
        self._tags = [class_names.index(tag) for tag in TAGS]

    def start(self, features: Tensor) -> None:
        """Sets the embedding to the principal components of features [n, 384]."""
        mean = features.mean(0)
        _, scales, components = torch.linalg.svd(features - mean, full_matrices=False)
        spread = scales[:EMBEDDING_SIZE] / len(features) ** 0.5
        spread = (spread * spread.mean()).sqrt()
        with torch.no_grad():
            self.embedding.weight.copy_(components[:EMBEDDING_SIZE] / spread[:, None])
            self.embedding.bias.copy_(-(self.embedding.weight @ mean))

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        """Computes the nodes; see the class for shapes."""
        tags = (logits[..., self._tags] - TAG_CENTRE) / TAG_SCALE
        return torch.cat([self.embedding(features), self.prior(features, logits), tags], -1)


@torch.inference_mode()
def embed_views(tail: Tail, views: TargetedViews) -> EmbeddedViews:
    """What the trained tail says of every node, or of every window of an onset."""
    features, logits = [], []
    middle, device = views.part["middle"], device_of(tail)
    n_windows = middle.shape[1]
    for first in range(0, len(middle), FEATURES_A_BATCH):
        some = torch.from_numpy(middle[first : first + FEATURES_A_BATCH]).to(device).float()
        found = tail(some.flatten(0, 1))
        features.append(found[0].unflatten(0, (-1, n_windows)))
        logits.append(found[1].unflatten(0, (-1, n_windows)))
    targets = (torch.from_numpy(values).to(device) for values in views[1:])
    return EmbeddedViews(torch.cat(features), torch.cat(logits), *targets)


def new_mmgat(text: LabelText, without: str | None = None) -> MMGAT:
    """An untrained MMGAT that says what the prior logits say.

    Args:
        text: embeddings of the labels.
        without: a part of ``PARTS`` to leave out.
    """
    config = MMGATConfig(
        input_size=NODE_SIZE,
        n_compared=EMBEDDING_SIZE,
        has_prior=True,
        text_size=text.embeddings.shape[1],
        state_sizes=STATE_SIZES,
        graph_dropout=DROPOUTS[0],
        dropout=DROPOUTS[1],
    )
    if without is not None:
        config = msgspec.structs.replace(config, **PARTS[without])
    return MMGAT(config, text.embeddings if config.text_size else None)


def stretches(
    n: int, generator: torch.Generator, device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Masks bool [n, 10] of random stretches of the clips, and bool [n, 10] of their last nodes."""

    def uniform() -> Tensor:
        return torch.rand(n, 1, generator=generator)

    ends = 1 + (uniform() * N_NODES).long().clamp(max=N_NODES - 1)
    ends = torch.where(uniform() < WHOLE_SHARE, torch.full_like(ends, N_NODES), ends)
    begins = (uniform() * ends).long()
    begins = torch.where(uniform() < WHOLE_SHARE, torch.zeros_like(begins), begins)
    places = torch.arange(N_NODES)
    mask, newest = (places >= begins) & (places < ends), places == ends - 1
    return mask.to(device), newest.to(device)


def targets_of(targets: Tensor, weights: Tensor, mask: Tensor) -> Targets:
    """Targets of stretches: a bag has a label where a second has it, and none where all are known."""
    weights = weights * mask.unsqueeze(-1)
    bag = torch.where(weights > 0, targets, 0.0).amax(1)
    all_known = ((weights > 0) | ~mask.unsqueeze(-1)).all(1).float()
    bag_weight = torch.where(bag > 0.5, weights.amax(1).clamp(max=1.0), all_known) / 2
    return Targets(bag, bag_weight, targets, weights, targets.new_zeros(len(targets), 0))


def counts_of(shares: dict[str, float], batch: int, kinds: Iterable[str]) -> dict[str, int]:
    """How many of each kind are in a batch: its share among the kinds that are there."""
    there = list(kinds)
    total = sum(shares[kind] for kind in there)
    return {kind: max(1, round(batch * shares[kind] / total)) for kind in there}


def draw(
    embedded_views: dict[str, EmbeddedViews], counts: dict[str, int], rng: np.random.Generator
) -> EmbeddedViews:
    """A random batch of views."""
    chosen = {
        kind: torch.from_numpy(rng.integers(len(views.targets), size=counts[kind])).to(
            views.targets.device
        )
        for kind, views in embedded_views.items()
        if kind in counts
    }
    return EmbeddedViews(
        *(
            torch.cat([embedded_views[kind][i][index] for kind, index in chosen.items()])
            for i in range(4)
        )
    )


def shaken(embedded: Tensor, deviation: float) -> Tensor:
    """Nodes [n, N, 181] with noise on their embeddings."""
    noise = deviation * torch.randn(*embedded.shape[:2], EMBEDDING_SIZE, device=embedded.device)
    return embedded + nn.functional.pad(noise, (0, NODE_SIZE - EMBEDDING_SIZE))


def fit(
    nodes: Nodes,
    mmgat: MMGAT,
    embedded_views: dict[str, EmbeddedViews],
    settings: FitSettings,
    report: Callable[[str], None] = print,
) -> MMGAT:
    """Fits MMGAT to nodes that stay as they are; returns it part of the way from its start."""
    torch.manual_seed(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    loss_weights = LossWeights(presence=settings.presence)
    criterion = MMGATLoss(mmgat, loss_weights).to(device_of(mmgat))
    context = [] if mmgat.prior is None else list(mmgat.prior.parameters())
    own = {id(parameter) for parameter in context}
    others = [p for p in (*mmgat.parameters(), *criterion.parameters()) if id(p) not in own]
    groups: list[dict[str, Any]] = [
        {"params": others, "lr": settings.learning_rate, "weight_decay": 0.02},
        {"params": context, "lr": settings.context_rate, "weight_decay": 0.0},
    ]
    counts = counts_of(settings.shares, settings.batch, embedded_views)
    n_steps = max(1, int(settings.epochs * len(embedded_views["music"].targets) / counts["music"]))
    nodes, mmgat = nodes.eval().requires_grad_(False), mmgat.train()
    start = copy.deepcopy(mmgat)
    training = AveragedTraining(mmgat, groups, n_steps, 0.15, settings.ema)
    for step in range(n_steps):
        features, logits, y, w = draw(embedded_views, counts, rng)
        embedded = shaken(nodes(features, logits), settings.noise)
        mask, newest = stretches(len(y), generator, y.device)
        output = mmgat(embedded * mask.unsqueeze(-1), mask)
        weights = w * (1 + (settings.newest - 1) * newest.float()).unsqueeze(-1)
        loss = criterion(mmgat, output, targets_of(y, weights, mask))
        training.step(loss)
        if step % 50 == 0:
            report(f"step {step} of {n_steps}: loss {float(loss.detach()):.4f}")
    part_of_the_way(training.average, start, settings.way)
    return training.average.eval()


@torch.inference_mode()
def live_log_odds(nodes: Nodes, mmgat: MMGAT, embedded_views: EmbeddedViews) -> Tensor:
    """Log-odds [n, 10, 20] of every node as the newest of its graph, which the earlier ones form."""
    embedded = nodes(embedded_views.features, embedded_views.logits)
    found = []
    for last in range(N_NODES):
        graph = mmgat.graph(embedded[:, : last + 1])
        found.append(mmgat.instances(graph)[1][:, last])
    return torch.stack(found, dim=1)
