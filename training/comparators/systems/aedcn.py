"""AEDCN: Zhang & Bai, "Adversarial Embedding Deep Convolutional Network" (Appl. Sci. 2023, 13(18),
10189).

Known from its abstract and from MMGAT's authors: log-mel and tempogram as two channels; two fully
connected layers added to a multi-task backbone; between them an adversarial conditional embedded
VAE (ACEVAE) that generates features for designated labels, driven by how well each is recognised;
auxiliary classes; two centre losses; pre-training.

Our reconstruction of all else: 2 x 128 x 128 of three seconds, Han's blocks, FC_a of 1024 units f,
FC_b of 1024. The ACEVAE has encoder (f, y) -> 512 -> mean and log-variance of 64 numbers, decoder
(z, y*) -> 512 -> f*, critic (f, y) -> 256 -> 1. Loss: BCE + 0.3 BCE of the auxiliary classes + 1e-3
of the two centre losses + MSE + 1e-3 KL + 0.1 of the critic's BCE, whose gradient reaches the
decoder reversed (Ganin & Lempitsky 2015) so that one optimiser does for both. After ``warm_up``
steps as many features are generated as a third of the windows, for labels y* drawn with p ~ 1 /
(running recall + 0.1), and FC_b learns from them with weight 0.3.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from mmgat.model.labels import N_LABELS
from mmgat.training.comparators.systems.han_convnet import SLOPE, HanTrunk
from mmgat.training.comparators.systems.multitask_convnet import window_targets
from mmgat.training.comparators.windows import (
    WindowLoss,
    WindowModel,
    WindowOutput,
    auxiliary_groups,
    group_loss,
    masked,
)
from mmgat.training.data.bags import Targets

LATENT: Final = 64
MOMENTUM: Final = 0.95


class AEDCNConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes and the loss of the network.

    Attributes:
        width: factor of the backbone's channels and of the units.
        shape: channels, rows and columns of a window.
        generate: whether the ACEVAE's features are learned from.
        use_tempogram: whether the second channel is read.
        warm_up: steps before the first features are generated.
        auxiliary_weight, centre_weight, generated_weight: of the losses.
    """

    width: float = 1.0
    shape: tuple[int, int, int] = (2, 128, 128)
    generate: bool = True
    use_tempogram: bool = True
    warm_up: int = 30
    auxiliary_weight: float = 0.3
    centre_weight: float = 1e-3
    generated_weight: float = 0.3


class _Reversed(torch.autograd.Function):
    """The identity, whose gradient has the other sign."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return -gradients[0]


class ACEVAE(nn.Module):
    """Adversarial conditional embedded VAE over features of one layer.

    Args:
        size: of a feature vector.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        hidden = size // 2
        self.encoder = nn.Sequential(
            nn.Linear(size + N_LABELS, hidden), nn.LeakyReLU(SLOPE), nn.Linear(hidden, 2 * LATENT)
        )
        self.decoder = nn.Sequential(
            nn.Linear(LATENT + N_LABELS, hidden), nn.LeakyReLU(SLOPE), nn.Linear(hidden, size)
        )
        self.critic = nn.Sequential(
            nn.Linear(size + N_LABELS, size // 4), nn.LeakyReLU(SLOPE), nn.Linear(size // 4, 1)
        )

    def generate(self, labels: Tensor) -> Tensor:
        """Draws features [W, size] for labels [W, 20]."""
        z = torch.randn(len(labels), LATENT, device=labels.device)
        generated: Tensor = self.decoder(torch.cat([z, labels], dim=1))
        return generated

    def loss(self, features: Tensor, labels: Tensor) -> Tensor:
        """Reconstruction, KL divergence and the adversarial part, of real features [W, size]."""
        real = features.detach()
        mean, log_variance = self.encoder(torch.cat([real, labels], dim=1)).chunk(2, dim=1)
        log_variance = log_variance.clamp(-8, 8)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        rebuilt = self.decoder(torch.cat([z, labels], dim=1))
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()
        fake = _Reversed.apply(torch.cat([rebuilt, self.generate(labels)]))
        both = torch.cat([real, fake])
        verdict = self.critic(torch.cat([both, labels.repeat(3, 1)], dim=1)).squeeze(1)
        is_real = torch.cat([torch.ones(len(real)), torch.zeros(2 * len(real))]).to(real.device)
        adversarial = binary_cross_entropy_with_logits(verdict, is_real)
        total: Tensor = mse_loss(rebuilt, real) + 1e-3 * divergence + 0.1 * adversarial
        return total


class AEDCN(WindowModel):
    """The network; see the module."""

    def __init__(self, config: AEDCNConfig) -> None:
        super().__init__(config.shape)
        self.config = config
        n_channels = config.shape[0] if config.use_tempogram else 1
        self.trunk = HanTrunk(n_channels, config.width)  # ends with FC_a
        size = self.trunk.n_units
        self.between = ACEVAE(size)
        self.second = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(size, size), nn.LeakyReLU(SLOPE), nn.Dropout(0.5)
        )
        self.classifier = nn.Linear(size, N_LABELS)
        self.auxiliary = nn.Linear(size, len(auxiliary_groups("onset")))

    def windows(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Computes logits [W, 20] of windows; FC_a's and FC_b's features and auxiliary logits."""
        if not self.config.use_tempogram:
            x = x[:, :1]
        first = self.trunk(x)
        second = self.second(first)
        further = {"first": first, "second": second, "auxiliary": self.auxiliary(second)}
        return self.classifier(second), further


class AEDCNLoss(nn.Module):
    """All parts of the loss; see the module.

    Args:
        network: whose features have centres.
    """

    groups: Tensor
    recall: Tensor
    steps: Tensor

    def __init__(self, network: AEDCN) -> None:
        super().__init__()
        self.labels = WindowLoss()
        self.register_buffer("groups", auxiliary_groups("onset"))
        self.register_buffer("recall", torch.full((N_LABELS,), 0.5))
        self.register_buffer("steps", torch.zeros(()))
        size = network.trunk.n_units
        self.centres = nn.Parameter(torch.zeros(N_LABELS, size))
        self.group_centres = nn.Parameter(torch.zeros(len(self.groups), size))

    def forward(self, network: AEDCN, output: WindowOutput, targets: Targets) -> Tensor:
        """Computes the loss of a batch, a scalar."""
        config, further = network.config, output.further
        target, weight = window_targets(output, targets)
        on = target * (weight > 0)
        groups = (on.unsqueeze(1) * self.groups).amax(-1)
        auxiliary = group_loss(further["auxiliary"], target, weight, self.groups)
        centre = _centre_loss(further["second"], on, self.centres)
        centre = centre + _centre_loss(further["second"], groups, self.group_centres)
        total: Tensor = self.labels(network, output, targets)
        total = total + config.auxiliary_weight * auxiliary + config.centre_weight * centre
        if not config.generate or not network.training:
            return total
        total = total + network.between.loss(further["first"], on)
        with torch.no_grad():
            self.steps += 1
            named = (output.logits[output.mask].sigmoid() * on).sum(0)
            seen = on.sum(0)
            recall = torch.where(seen > 0, named / seen.clamp(min=1), self.recall)
            self.recall.lerp_(recall, 1 - MOMENTUM)
        if self.steps <= config.warm_up:
            return total
        designated = self._designated(max(2, len(on) // 3))
        with torch.no_grad():
            features = network.between.generate(designated)
        logits = network.classifier(network.second(features))
        return total + config.generated_weight * binary_cross_entropy_with_logits(
            logits, designated
        )

    def _designated(self, n: int) -> Tensor:
        """Draws one or two labels for each of n features, those of low recall more often."""
        chance = 1 / (self.recall + 0.1)
        first, second = (torch.multinomial(chance, n, replacement=True) for _ in range(2))
        labels = torch.zeros(n, N_LABELS, device=chance.device)
        rows = torch.arange(n, device=chance.device)
        labels[rows, first] = 1
        two = torch.rand(n, device=chance.device) < 0.5
        labels[rows[two], second[two]] = 1
        return labels


def _centre_loss(features: Tensor, belongs: Tensor, centres: Tensor) -> Tensor:
    distance = (features.unsqueeze(1) - centres).square().mean(-1)
    return masked(distance, belongs)
