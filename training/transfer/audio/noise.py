"""Steady noise, many stretches at once on any device (ours)."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from mmgat.model.embedders.kaldi_mel import SAMPLE_RATE_HZ

HUM_SHARE: Final = 0.25
MOTOR_SHARE: Final = 1 / 3
N_HARMONICS: Final = 12
MAINS_HZ: Final = (50.0, 60.0)
SLOPES: Final = (0.0, 0.5, 1.0, -0.5)
"""White, pink, brown and blue: amplitude falls with frequency to this power."""

SLOPE_SHARES: Final = (0.35, 0.35, 0.2, 0.1)
BAND_SHARE: Final = 0.25


def generator_of(rng: np.random.Generator, device: torch.device) -> torch.Generator:
    """A generator of a device, seeded from numpy's."""
    return torch.Generator(device).manual_seed(int(rng.integers(2**62)))


def steady_noise(n: int, n_samples: int, rng: np.random.Generator, device: torch.device) -> Tensor:
    """Noise with an RMS of 1, float32 [n, n_samples]: hum with harmonics, or coloured noise.

    Hum is that of mains or, with more noise, of a motor; coloured noise may be limited to a band, as
    that of a fan or of a cheap amplifier. As ``synthesis.augment.noise``.
    """
    white = torch.randn(n, n_samples, generator=generator_of(rng, device), device=device)
    hums, limited = rng.random(n) < HUM_SHARE, rng.random(n) < BAND_SHARE
    slopes = rng.choice(SLOPES, n, p=SLOPE_SHARES)
    edges = np.sort(rng.uniform(50, SAMPLE_RATE_HZ / 2, (n, 2)), axis=1)
    edges[~limited] = 0, SAMPLE_RATE_HZ
    hz = torch.fft.rfftfreq(n_samples, 1 / SAMPLE_RATE_HZ, device=device)

    def column(values: object) -> Tensor:
        return torch.from_numpy(np.asarray(values, np.float32)).to(device)[:, None]

    gains = hz.clamp(min=20.0)[None] ** -column(slopes)
    gains = gains * ((hz >= column(edges[:, 0])) & (hz <= column(edges[:, 1] + 50)))
    noise = torch.fft.irfft(torch.fft.rfft(white) * gains, n_samples)
    if hums.any():
        motor = rng.random(n) < MOTOR_SHARE
        turns_hz = np.where(motor, rng.uniform(20, 150, n), rng.choice(MAINS_HZ, n))
        hiss = np.where(motor, 10 ** (rng.uniform(-20, 0, n) / 20), 0.001)
        time = torch.arange(n_samples, device=device) / SAMPLE_RATE_HZ
        hum = column(hiss) * white
        for harmonic in range(1, N_HARMONICS + 1):
            loudness = column(rng.random(n) / harmonic)
            hum += loudness * (2 * torch.pi * harmonic * column(turns_hz) * time).sin()
        noise = torch.where(column(hums) > 0, hum, noise)
    found: Tensor = noise / noise.square().mean(-1, keepdim=True).sqrt().clamp(min=1e-9)
    return found
