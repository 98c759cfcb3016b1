"""WaveGAN ConvNet: likely Lekshmi & Rajan, "Multiple Predominant Instruments Recognition in
Polyphonic Music Using Spectro/Modgd-gram Fusion" (CSSP 2022): a ConvNet whose training set is
enlarged by WaveGAN.

WaveGAN (Donahue, McAuley, Puckette 2019): z of 100 numbers, five transposed convolutions of 25
samples with stride 4, ReLU, tanh; the critic mirrors it with LeakyReLU 0.2 and shuffles phases by
up to 2; WGAN-GP with lambda 10, Adam 1e-4 (0.5, 0.9); d = 64 and 16,384 samples at 16 kHz.

Published: one GAN a class, checked by ear. Ours: one GAN for all labels (the label joined to z, a
projection in the critic), on solo seconds; d = 16, 8,192 samples at 8 kHz in the reduced size,
whose first layer is dropped. Instead of listeners a logistic regression, fitted to the held-out
clips' players, accepts a generated second if its label is among the best three. Accepted ones are
added to the waveforms of real seconds, so that their band limit tells nothing, and keep both
labels. Then comparator ConvNet (Han); with ``n_generated = 0`` it is that ConvNet without them.
"""

from __future__ import annotations

import itertools
from typing import Final

import msgspec
import numpy as np
import soxr
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad

from mmgat.model.embedders.slaney_mel import SLANEY_LOG_MEL
from mmgat.model.labels import LABELS, N_LABELS
from mmgat.training.comparators.preparation import (
    Preparation,
    made_bags,
    one_hot,
    single_windows,
)
from mmgat.training.comparators.systems.han_convnet import HanConfig
from mmgat.training.data.bags import Bags
from mmgat.training.metrics import Array

NOISE: Final = 100
STRIDE: Final = 4
KERNEL: Final = 25
PHASES: Final = 2
PENALTY: Final = 10.0
BEST: Final = 3
"""A generated second is accepted if its label is among so many best ones."""

SHORTEST: Final = 16


class WaveGANConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes of ConvNet and GAN.

    Attributes:
        convnet: the recogniser's.
        width: d, the channels of the widest but one layer are 16 d.
        samples: of a generated sound: 16 times a power of 4, or twice that.
        rate_hz: of its samples.
        iterations: of the generator.
        critic_steps: of the critic for each of these; 5 published.
        batch: sounds in a step; 64 published.
        n_generated: sounds that are generated and then accepted or not.
    """

    convnet: HanConfig = HanConfig()
    width: int = 64
    samples: int = 16_384
    rate_hz: int = 16_000
    iterations: int = 200_000
    critic_steps: int = 5
    batch: int = 64
    n_generated: int = 3_000


def _n_layers(samples: int) -> int:
    return int(np.ceil(np.log2(samples / SHORTEST) / 2))


class Generator(nn.Module):
    """z [W, 100] and labels [W, 20] -> sounds [W, samples] in [-1, 1]."""

    def __init__(self, width: int, samples: int) -> None:
        super().__init__()
        n_layers = _n_layers(samples)
        channels = [width * 2 ** max(0, n_layers - 1 - i) for i in range(n_layers)] + [1]
        first = samples
        strides: list[int] = []
        for _ in range(n_layers):
            stride = STRIDE if first > 2 * SHORTEST else first // SHORTEST
            strides.insert(0, stride)
            first //= stride
        self.shape = (channels[0], first)
        self.dense = nn.Linear(NOISE + N_LABELS, channels[0] * first)
        self.layers = nn.ModuleList(
            nn.ConvTranspose1d(
                n_in, n_out, KERNEL, stride, padding=(KERNEL - stride + 1) // 2,
                output_padding=(stride - KERNEL) % 2,
            )
            for n_in, n_out, stride in zip(channels, channels[1:], strides, strict=False)
        )  # fmt: skip

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Generates sounds."""
        h = self.dense(torch.cat([z, labels], dim=1)).view(-1, *self.shape)
        for layer in self.layers:
            h = layer(h.relu())
        sounds: Tensor = h.tanh().squeeze(1)
        return sounds


class Critic(nn.Module):
    """Sounds [W, samples] and labels [W, 20] -> [W], how real they are."""

    def __init__(self, width: int, samples: int) -> None:
        super().__init__()
        n_layers = _n_layers(samples)
        channels = [1] + [width * 2**i for i in range(n_layers)]
        length, layers = samples, []
        for n_in, n_out in itertools.pairwise(channels):
            stride = STRIDE if length > 2 * SHORTEST else length // SHORTEST
            layers.append(nn.Conv1d(n_in, n_out, KERNEL, stride, padding=KERNEL // 2))
            length = (length - 1) // stride + 1
        self.layers = nn.ModuleList(layers)
        size = channels[-1] * length
        self.verdict = nn.Linear(size, 1)
        self.of_label = nn.Linear(N_LABELS, size, bias=False)
        self.scale = size**-0.5

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Judges sounds."""
        h = x.unsqueeze(1)
        for index, layer in enumerate(self.layers):
            h = leaky_relu(layer(h), 0.2)
            if index < len(self.layers) - 1 and self.training:
                h = shuffle_phase(h)
        h = h.flatten(1)
        projected: Tensor = (self.of_label(labels) * h).sum(1) * self.scale
        verdict: Tensor = self.verdict(h).squeeze(1)
        return projected + verdict


def shuffle_phase(h: Tensor) -> Tensor:
    """Shifts activations [W, C, T] by -2 to 2 samples at random; what is missing is reflected."""
    shift = int(torch.randint(-PHASES, PHASES + 1, ()))
    if not shift:
        return h
    padded = pad(h, (max(shift, 0), max(-shift, 0)), mode="reflect")
    return padded[..., max(-shift, 0) : max(-shift, 0) + h.shape[-1]]


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, labels: Tensor) -> Tensor:
    """(|gradient| - 1)^2 between real and generated sounds (Gulrajani et al. 2017)."""
    t = torch.rand(len(real), 1)
    between = (t * real + (1 - t) * fake).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between, labels).sum(), between, create_graph=True)
    penalty: Tensor = (gradient.norm(dim=1) - 1).square().mean()
    return penalty


def fit_gan(
    sounds: Tensor, labels: Tensor, config: WaveGANConfig, preparation: Preparation
) -> Generator:
    """Fits a GAN to sounds [W, samples] with labels int64 [W] and returns its generator."""
    torch.manual_seed(preparation.seed)
    generator = Generator(config.width, config.samples)
    critic = Critic(config.width, config.samples)
    slow = torch.optim.Adam(generator.parameters(), 1e-4, (0.5, 0.9))
    fast = torch.optim.Adam(critic.parameters(), 1e-4, (0.5, 0.9))
    counts = torch.bincount(labels, minlength=N_LABELS).float()
    weight = 1 / counts[labels]  # each label alike often

    def batch() -> tuple[Tensor, Tensor]:
        index = torch.multinomial(weight, config.batch, replacement=True)
        return sounds[index], one_hot(labels[index])

    for iteration in range(config.iterations):
        for _ in range(config.critic_steps):
            real, y = batch()
            with torch.no_grad():
                fake = generator(torch.randn(len(y), NOISE), y)
            distance = critic(real, y).mean() - critic(fake, y).mean()
            loss = PENALTY * gradient_penalty(critic, real, fake, y) - distance
            fast.zero_grad()
            loss.backward()
            fast.step()
        _, y = batch()
        slow.zero_grad()
        (-critic(generator(torch.randn(len(y), NOISE), y), y).mean()).backward()
        slow.step()
        if iteration % 50 == 0:
            preparation.report(
                f"GAN, iteration {iteration}: distance {float(distance.detach()):.3f}"
            )
    return generator.eval()


def _summary(windows: Array) -> Array:
    """Mean and deviation of every band of log-mel windows [W, 43 * 128]: [W, 256]."""
    frames = windows.reshape(-1, SLANEY_LOG_MEL.n_frames, SLANEY_LOG_MEL.n_bands)
    return np.concatenate([frames.mean(axis=1), frames.std(axis=1)], axis=1)


def log_mel_of(sounds: Array, rate_hz: int) -> Array:
    """Seconds of sound [W, T] -> log-mel windows [W, 43 * 128]; what is short gets silence before."""
    length = SLANEY_LOG_MEL.window_samples
    resampled = soxr.resample(sounds.T, rate_hz, SLANEY_LOG_MEL.sample_rate_hz, "HQ").T
    missing = max(0, length - resampled.shape[1])
    padded = np.pad(resampled.astype(np.float32), ((0, 0), (missing, 0)))[:, :length]
    return SLANEY_LOG_MEL.examples(padded).reshape(len(sounds), -1)


def accepted(sounds: Array, labels: Tensor, rate_hz: int, held_out: Bags) -> Array:
    """Which sounds the held-out classifier accepts, bool [W].

    Args:
        sounds: [W, T].
        labels: int64 [W], what they should be.
        rate_hz: of the sounds.
        held_out: log-mel bags of players that the GAN has not heard.
    """
    windows, truth = single_windows(held_out)
    judge = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    judge.fit(_summary(windows.float().numpy()), truth.numpy())
    scores = np.full((len(sounds), N_LABELS), -np.inf)
    scores[:, judge.classes_] = judge.predict_proba(_summary(log_mel_of(sounds, rate_hz)))
    own = scores[np.arange(len(sounds)), labels.numpy()][:, None]
    found: Array = ((scores > own).sum(axis=1) < BEST) & np.isfinite(own[:, 0])
    return found


def augmented(train: Bags, config: WaveGANConfig, preparation: Preparation) -> Bags:
    """Training bags, and bags of accepted generated sounds mixed with real ones."""
    if not config.n_generated:
        return train
    waveforms, labels = single_windows(preparation.load("train", "raw", ("solo",)))
    sounds = soxr.resample(waveforms.float().numpy().T, 16_000, config.rate_hz, "HQ").T
    sounds = np.pad(sounds, ((0, 0), (0, max(0, config.samples - sounds.shape[1]))))
    sounds = sounds[:, : config.samples].astype(np.float32)
    sounds /= np.maximum(np.abs(sounds).max(axis=1, keepdims=True), 1e-3)
    generator = fit_gan(torch.from_numpy(sounds), labels, config, preparation)
    torch.manual_seed(preparation.seed + 1)
    wanted = torch.unique(labels)[torch.randint(len(torch.unique(labels)), (config.n_generated,))]
    with torch.no_grad():
        parts = [
            generator(torch.randn(len(y), NOISE), one_hot(y)) for y in torch.split(wanted, 256)
        ]
    fakes = torch.cat(parts).numpy()
    good = accepted(
        fakes, wanted, config.rate_hz, preparation.load("held-out", "log-mel", ("solo", "notes"))
    )
    names = ", ".join(
        f"{LABELS[label]} {int(good[wanted.numpy() == label].sum())}"
        for label in torch.unique(labels)
    )
    preparation.report(f"{int(good.sum())} of {len(good)} generated sounds accepted: {names}")
    if good.sum() < 10:
        return train
    fakes, wanted = fakes[good], wanted[torch.from_numpy(good)]
    at_16k = soxr.resample(fakes.T, config.rate_hz, 16_000, "HQ").T[:, :16_000]
    real_bags = preparation.load("train", "raw", ())
    places = real_bags.mask().nonzero()
    chosen = places[torch.randint(len(places), (len(fakes),))]
    real = real_bags.embeddings[chosen[:, 0], chosen[:, 1]].float().numpy()
    level = np.sqrt((real**2).mean(axis=1, keepdims=True)) + 1e-3
    own_level = np.sqrt((at_16k**2).mean(axis=1, keepdims=True)) + 1e-6
    mixed = real[:, : at_16k.shape[1]] + at_16k * (level / own_level)
    own = one_hot(wanted)
    target = torch.maximum(own, real_bags.instance[chosen[:, 0], chosen[:, 1]])
    known = torch.maximum(own, real_bags.instance_weight[chosen[:, 0], chosen[:, 1]])
    windows = torch.from_numpy(log_mel_of(mixed.astype(np.float32), 16_000))
    return train.join(made_bags(windows.to(train.embeddings.dtype), target, known))
