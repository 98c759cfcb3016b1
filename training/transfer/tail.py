"""The light fine-tuning of the network's second half, window by window (ours).

It starts from mn04 and from what mn04's classes say of the labels, is held near what mn04 says of
all 527 classes, and in the end goes only part of the way it went (WiSE-FT, Wortsman et al. 2022).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from mmgat.model.checkpoint import save_tensors
from mmgat.model.embedders.mobilenet import N_FEATURES
from mmgat.model.labels import N_LABELS
from mmgat.training.data.published.audioset_names import label_columns, to_labels
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.losses import masked_mean, presence_loss
from mmgat.training.transfer.audio.parts import N_NODES
from mmgat.training.transfer.averaging import AveragedTraining, device_of, part_of_the_way
from mmgat.training.transfer.backbone import Tail, kept_classes
from mmgat.training.transfer.features import Arrays
from mmgat.training.transfer.targets import Calibration, Scales, half_way

STATE: Final = "tail.safetensors"
KEPT_LOSS: Final = 30.0
"""Scale of the loss that keeps mn04's classes: theirs is a mean over 527 mostly silent ones."""

LABEL_CLASS_WEIGHT: Final = 5.0
SPREAD_FLOOR: Final = (0.1, 0.02)
SHARES: Final = {"music": 0.52, "pieces": 0.15, "notes": 0.13, "sounds": 0.16, "noise": 0.04}
"""Of a batch: real music is the most of it, or notes teach notes."""


class TailSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the tail is trained.

    Attributes:
        steps, batch: of windows.
        shares: kind -> share of a batch.
        learning_rate, head_rate: of the network's half and of the prior.
        keep: weight of what mn04 said.
        presence: weight of "does anything play".
        ema: decay of the averaged weights.
        way, prior_way: share of the way from mn04 that network and prior go in the end.
    """

    steps: int = 500
    batch: int = 160
    shares: dict[str, float] = msgspec.field(default_factory=SHARES.copy)
    learning_rate: float = 3e-4
    head_rate: float = 2e-3
    keep: float = 1.5
    presence: float = 0.3
    ema: float = 0.985
    way: float = 0.7
    prior_way: float = 0.5
    seed: int = 0


class TargetedViews(NamedTuple):
    """Augmented views of a kind with their targets.

    Attributes:
        part: as ``read_parts`` gives it.
        targets, weights: float32 [n, 10, 20].
    """

    part: Arrays
    targets: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]


class Prior(nn.Module):
    """Features [..., 384] and class logits [..., 527] -> prior logits [..., 20] of the labels.

    A label begins with the largest logit of its classes; what other classes and features add is
    learned from zero. Of the classes it hears those that the embedder keeps.

    Args:
        class_names: of the logits.
    """

    mean: Tensor
    spread: Tensor
    class_mean: Tensor
    class_spread: Tensor

    def __init__(self, class_names: list[str]) -> None:
        super().__init__()
        self._columns, self._heard = label_columns(class_names), kept_classes(class_names)
        n_classes = len(self._heard)
        self.scale = nn.Parameter(torch.ones(N_LABELS))
        self.offset = nn.Parameter(torch.zeros(N_LABELS))
        self.of_classes = nn.Linear(n_classes, N_LABELS, bias=False)
        self.of_features = nn.Linear(N_FEATURES, N_LABELS, bias=False)
        for layer in (self.of_classes, self.of_features):
            nn.init.zeros_(layer.weight)
        self.register_buffer("mean", torch.zeros(N_FEATURES))
        self.register_buffer("spread", torch.ones(N_FEATURES))
        self.register_buffer("class_mean", torch.zeros(n_classes))
        self.register_buffer("class_spread", torch.ones(n_classes))

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        """Computes the prior logits; see the class for shapes."""
        loudest = torch.stack([logits[..., c].amax(-1) for c in self._columns], -1)
        heard = logits[..., self._heard]
        of_classes = self.of_classes((heard - self.class_mean) / self.class_spread)
        of_features = self.of_features((features - self.mean) / self.spread)
        prior: Tensor = self.scale * loudest + self.offset + of_classes + of_features
        return prior

    @torch.no_grad()
    def start(self, features: Tensor, logits: Tensor, scales: Scales) -> None:
        """Says what mn04's classes say of the labels; sets the spreads.

        Shapes: [n, 384], [n, 527].
        """
        self._measure(features, logits)
        self.scale.copy_(torch.from_numpy(scales.gains))
        self.offset.copy_(torch.from_numpy(scales.shifts))

    @torch.no_grad()
    def standardise(self, features: Tensor, logits: Tensor) -> None:
        """Measures the spreads of features [n, 384] and logits [n, 527]; says what it said before.

        Weights of standardised inputs learn at one rate.
        """
        of_classes = self.of_classes.weight / self.class_spread
        of_features = self.of_features.weight / self.spread
        raw = self.offset - of_classes @ self.class_mean - of_features @ self.mean
        self._measure(features, logits)
        self.of_classes.weight.copy_(of_classes * self.class_spread)
        self.of_features.weight.copy_(of_features * self.spread)
        self.offset.copy_(raw + of_classes @ self.class_mean + of_features @ self.mean)

    def _measure(self, features: Tensor, logits: Tensor) -> None:
        self.mean.copy_(features.mean(0))
        self.spread.copy_(features.std(0) + SPREAD_FLOOR[1])
        heard = logits[..., self._heard]
        self.class_mean.copy_(heard.mean(0))
        self.class_spread.copy_(heard.std(0) + SPREAD_FLOOR[0])


def draw(
    views: dict[str, TargetedViews], settings: TailSettings, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A batch of windows: middles, targets, weights, and the logits to stay near.

    Music is held near the mean of what mn04 said of the window's four seconds; ``kept`` of other
    kinds is filled in by the caller's own mn04.
    """
    found: tuple[list[Any], ...] = ([], [], [], [])
    total = sum(settings.shares[kind] for kind in views)
    for kind, (part, targets, weights) in views.items():
        n = max(1, round(settings.batch * settings.shares[kind] / total))
        which, nodes = rng.integers(len(targets), size=n), rng.integers(N_NODES, size=n)
        around = part["teacher_4s"][part["clip"][which], nodes].astype(np.float32)
        if kind != "music":
            around = np.full_like(around, np.nan)
        for values, more in zip(
            found,
            (part["middle"][which, nodes], targets[which, nodes], weights[which, nodes], around),
            strict=True,
        ):
            values.append(more.astype(np.float32))
    middle, y, w, kept = (torch.from_numpy(np.concatenate(values)) for values in found)
    return middle.contiguous(memory_format=torch.channels_last), y, w, kept


def train(
    tail: Tail,
    views: dict[str, TargetedViews],
    calibration: Calibration,
    class_names: list[str],
    settings: TailSettings,
    report: Callable[[str], None] = print,
) -> tuple[Tail, Prior]:
    """Trains tail and prior; returns their averages, the tail part of the way from its start."""
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    columns = label_columns(class_names)
    device = device_of(tail)
    start, prior = copy.deepcopy(tail).eval(), Prior(class_names).to(device)
    with torch.inference_mode():
        outs = [start(draw(views, settings, rng)[0].to(device)) for _ in range(10)]
        features, logits = (torch.cat(values) for values in zip(*outs, strict=True))
        only = {"music": views["music"]}
        music = [start(draw(only, settings, rng)[0].to(device))[1] for _ in range(10)]
        of_music = to_labels(torch.cat(music).cpu().numpy(), columns)
    prior.start(features, logits, half_way(of_music, calibration))
    first_prior = copy.deepcopy(prior)
    emphasis = torch.ones(len(class_names), device=device)
    emphasis[[column for group in columns for column in group]] = LABEL_CLASS_WEIGHT
    emphasis /= emphasis.mean()
    extra = [prior.of_classes.weight, prior.of_features.weight]
    rates = settings.learning_rate, settings.head_rate
    groups: list[dict[str, Any]] = [
        {"params": tail.layers.parameters(), "lr": rates[0], "weight_decay": 1e-3},
        {"params": tail.classes.parameters(), "lr": rates[0] / 2, "weight_decay": 1e-3},
        {"params": [prior.scale, prior.offset], "lr": rates[1], "weight_decay": 0.0},
        {"params": extra, "lr": rates[1] / 2, "weight_decay": 0.1},
    ]
    both = nn.ModuleList([tail, prior])
    training = AveragedTraining(both, groups, settings.steps, 0.1, settings.ema)
    for step in range(settings.steps):
        middle, y, w, kept = (values.to(device) for values in draw(views, settings, rng))
        with torch.inference_mode():
            own = start(middle)[1]
        kept = torch.where(kept.isnan(), own, (own + kept) / 2).clone()
        features, logits = tail(middle)
        said = prior(features, logits)
        main = masked_mean(cross_entropy(said, y, reduction="none"), w)
        anything = presence_loss(said[:, None], y[:, None], w[:, None])
        soft = kept.sigmoid()
        away = cross_entropy(logits, soft, emphasis) - cross_entropy(kept, soft, emphasis)
        loss = main + settings.presence * anything + settings.keep * KEPT_LOSS * away
        training.step(loss)
        if step % 20 == 0:
            report(f"step {step}: labels {main:.4f}, presence {anything:.4f}, away {away:.5f}")
    average = training.average
    part_of_the_way(average[0], start, settings.way)
    part_of_the_way(average[1], first_prior, settings.prior_way)
    found_tail, found_prior = average
    assert isinstance(found_tail, Tail)
    assert isinstance(found_prior, Prior)
    average[1].load_state_dict({**prior.state_dict(), **dict(average[1].named_parameters())})
    return found_tail.eval(), found_prior.eval()


def save(folder: Path, tail: Tail, prior: Prior) -> None:
    """Writes both into ``tail.safetensors`` of a folder."""
    tensors = {f"tail.{key}": value for key, value in tail.state_dict().items()}
    tensors |= {f"prior.{key}": value for key, value in prior.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors(tensors, folder / STATE)


def load(folder: Path, tail: Tail, prior: Prior) -> None:
    """Reads what ``save`` wrote into both.

    Raises:
        TrainingDataError: the tail was not trained.
    """
    path = folder / STATE
    if not path.is_file():
        raise TrainingDataError(f"expected {path}, found none: run tail")
    tensors = load_file(path)
    for prefix, module in (("tail.", tail), ("prior.", prior)):
        found = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        module.load_state_dict(found)
