"""VAE-augmentation ConvNet. Known, from MMGAT's authors: it "leverages variational autoencoders for
Medley-solos-DB latent space interpolation". The paper could not be identified, so all else is our
reconstruction.

A convolutional VAE learns log-mel windows of solo seconds of the yard, which stand in for
Medley-solos-DB: three strided convolutions of 16, 32 and 64 channels, 64 latent numbers, the label
given to the decoder; squared error + beta KL, beta rising to 0.01. New windows are decoded between
two windows of one label and different clips, t ~ U(.25, .75). They have no phase, so they are mixed
as powers, ln(e^a + e^b), with real windows, whose labels they share; one new window for three real
ones. Then comparator ConvNet (Han). ``mode = "mixup"`` takes the first of the two real windows in
place of the decoded one, ``"none"`` nothing: what is left is the VAE's share.
"""

from __future__ import annotations

import itertools
from typing import Final, Literal

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from mmgat.model.labels import N_LABELS
from mmgat.training.comparators.preparation import (
    Preparation,
    made_bags,
    one_hot,
    pairs_of_one_label,
    single_windows,
)
from mmgat.training.comparators.systems.han_convnet import HanConfig
from mmgat.training.data.bags import Bags

LATENT: Final = 64
FRAMES: Final = 48
BANDS: Final = 128
CENTRE: Final = -7.0
SPREAD: Final = 4.0
"""Log-mel values are moved and scaled by these for the VAE."""

BETA: Final = 0.01


class VAEConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes of ConvNet and VAE.

    Attributes:
        convnet: the recogniser's.
        mode: what is mixed with real windows.
        epochs: of the VAE.
        share: new windows for each real one.
    """

    convnet: HanConfig = HanConfig()
    mode: Literal["interpolation", "mixup", "none"] = "interpolation"
    epochs: int = 25
    share: float = 1 / 3


class ConvVAE(nn.Module):
    """The autoencoder of windows [W, 48, 128]."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (1, 16, 32, 64)
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        for n_in, n_out in itertools.pairwise(sizes):
            down += [nn.Conv2d(n_in, n_out, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for n_out, n_in in reversed(list(itertools.pairwise(sizes))):
            up += [nn.ConvTranspose2d(n_in, n_out, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.inner = (64, FRAMES // 8, BANDS // 8)
        size = int(np.prod(self.inner))
        self.down = nn.Sequential(*down, nn.Flatten(), nn.Linear(size, 2 * LATENT))
        self.start = nn.Linear(LATENT + N_LABELS, size)
        self.up = nn.Sequential(*up[:-1])

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [W, 64] of windows [W, 48, 128]."""
        mean, log_variance = self.down(x.unsqueeze(1)).chunk(2, dim=1)
        return mean, log_variance.clamp(-8, 8)

    def decode(self, z: Tensor, labels: Tensor) -> Tensor:
        """Windows [W, 48, 128] of latent numbers [W, 64] and labels [W, 20]."""
        h = self.start(torch.cat([z, labels], dim=1)).view(-1, *self.inner)
        decoded: Tensor = self.up(h).squeeze(1)
        return decoded


def fit_vae(windows: Tensor, labels: Tensor, epochs: int, preparation: Preparation) -> ConvVAE:
    """Fits a VAE to scaled windows [W, 48, 128] with labels int64 [W]."""
    torch.manual_seed(preparation.seed)
    vae, targets = ConvVAE(), one_hot(labels)
    optimizer = torch.optim.Adam(vae.parameters(), 1e-3)
    for epoch in range(epochs):
        beta, total = BETA * min(1.0, (epoch + 1) / 5), 0.0
        for index in torch.split(torch.randperm(len(windows)), 128):
            x, y = windows[index].float(), targets[index]
            mean, log_variance = vae.encode(x)
            z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
            error = (vae.decode(z, y) - x).square().mean()
            divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()
            loss: Tensor = error + beta * divergence
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            total += float(error.detach()) * len(index)
        preparation.report(f"VAE, epoch {epoch}: squared error {total / len(windows):.3f}")
    return vae.eval()


def _scaled(windows: Tensor, shape: tuple[int, int]) -> Tensor:
    frames = (windows.float().view(-1, *shape) - CENTRE) / SPREAD
    return pad(frames, (0, 0, 0, FRAMES - shape[0]))


@torch.no_grad()
def augmented(train: Bags, config: VAEConfig, preparation: Preparation) -> Bags:
    """Training bags, and bags of new windows mixed with real ones."""
    if config.mode == "none":
        return train
    shape = config.convnet.shape[1:]
    solo, labels = single_windows(preparation.load("train", "log-mel", ("solo", "notes")))
    rng = np.random.default_rng(preparation.seed)
    n_new = int(config.share * int(train.lengths.sum()))
    first, second = pairs_of_one_label(labels, n_new, rng)
    new = solo[first].float()
    if config.mode == "interpolation":
        scaled = _scaled(solo, shape)
        with torch.enable_grad():
            vae = fit_vae(scaled, labels, config.epochs, preparation)
        t = torch.from_numpy(rng.uniform(0.25, 0.75, (n_new, 1)).astype(np.float32))
        z = (1 - t) * vae.encode(scaled[first])[0] + t * vae.encode(scaled[second])[0]
        decoded = vae.decode(z, one_hot(labels[first]))[:, : shape[0]]
        new = (decoded * SPREAD + CENTRE).flatten(1)
    real = train.mask().nonzero()[
        torch.from_numpy(rng.integers(0, int(train.lengths.sum()), n_new))
    ]
    bag, place = real[:, 0], real[:, 1]
    mixed = torch.logaddexp(new, train.embeddings[bag, place].float())
    own = one_hot(labels[first])
    target = torch.maximum(own, train.instance[bag, place])
    known = torch.maximum(own, train.instance_weight[bag, place])
    return train.join(made_bags(mixed.to(train.embeddings.dtype), target, known))
