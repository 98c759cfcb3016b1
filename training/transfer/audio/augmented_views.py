"""How clips may reach a microphone, and what the embedder reads of them; many at once (ours).

Half of the recordings end at 8 kHz and others at 16 kHz, so every clip is heard in all bandwidths:
what a sound lacks above says nothing of what it is.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import scipy.fft
import torch
from torch import Tensor

from mmgat.model.embedders.kaldi_mel import KALDI_LOG_MEL, SAMPLE_RATE_HZ
from mmgat.model.embedders.torch_front_ends import KaldiLogMel
from mmgat.training.transfer.audio.mixing import Clips
from mmgat.training.transfer.audio.noise import generator_of, steady_noise
from mmgat.training.transfer.audio.parts import CLIP_SAMPLES, LEAD, N_NODES

TAIL_SAMPLES: Final = SAMPLE_RATE_HZ
CUTS_HZ: Final = (
    (0.22, 7_400, 8_000),
    (0.06, 5_500, 5_500),
    (0.05, 3_400, 4_000),
    (0.1, 9_900, 13_200),
)
"""Shares of the views that end between two frequencies; the rest is whole."""

CUT_WIDTH_HZ: Final = 60.0
LEAST_SOUNDING: Final = 0.35
"""Share of a second below which a label there is unknown."""

ROOM_SHARE: Final = 0.5
NOISY_SHARE: Final = 0.45
NOISE_SAMPLES: Final = 1 << 16
"""Noise repeats after so many."""

TENTH_SAMPLES: Final = SAMPLE_RATE_HZ // 10
SILENCE: Final = 1e-5
FADE_IN_SAMPLES: Final = 64
FADE_OUT_SAMPLES: Final = 320


def onset(clips: Clips, rng: np.random.Generator) -> Clips:
    """Silence before a random moment of each, and in half of them after another one."""
    n, device = len(clips.audio), clips.audio.device
    begins = (rng.uniform(0.2, 5, n) * SAMPLE_RATE_HZ).astype(np.int64)
    early = (rng.uniform(6, 10.9, n) * SAMPLE_RATE_HZ).astype(np.int64)
    cut = rng.random(n) < 0.5
    begin = torch.from_numpy(begins).to(device)[:, None]
    end = torch.from_numpy(np.where(cut, early, CLIP_SAMPLES + FADE_OUT_SAMPLES)).to(device)[
        :, None
    ]
    place = torch.arange(CLIP_SAMPLES, device=device)
    rising = ((place - begin) / (FADE_IN_SAMPLES - 1)).clamp(0, 1)
    falling = ((end - 1 - place) / (FADE_OUT_SAMPLES - 1)).clamp(0, 1)
    first = LEAD + torch.arange(N_NODES, device=device) * SAMPLE_RATE_HZ
    sounding = torch.minimum(first + SAMPLE_RATE_HZ, end) - torch.maximum(first, begin)
    silent = (sounding <= 0)[..., None]
    short = (sounding < LEAST_SOUNDING * SAMPLE_RATE_HZ)[..., None] & ~silent
    labels = clips.labels & ~silent
    known = (clips.known | silent) & ~(short & labels)
    return Clips(clips.audio * rising * falling, labels, known)


def augment(audio: Tensor, rng: np.random.Generator) -> Tensor:
    """A random view of every clip or shorter stretch: room, bandwidth, colour, noise, level.

    Shapes: float32 [n, T] at 32 kHz -> the same, in [-1, 1].
    """
    (n, n_samples), device = audio.shape, audio.device
    size = scipy.fft.next_fast_len(n_samples + TAIL_SAMPLES, real=True)
    spectrum = torch.fft.rfft(audio, size)
    rooms = torch.fft.rfft(_rooms(n, rng, device), size)
    in_room = torch.from_numpy(rng.random(n) < ROOM_SHARE).to(device)[:, None]
    spectrum = torch.where(in_room, spectrum * rooms, spectrum)
    spectrum *= _gains(n, rng, spectrum.shape[-1], device)
    heard = torch.fft.irfft(spectrum, size)[:, :n_samples]
    tenths = heard[:, : n_samples // TENTH_SAMPLES * TENTH_SAMPLES].unflatten(
        1, (-1, TENTH_SAMPLES)
    )
    loudest = tenths.square().mean(-1).sqrt().amax(-1, keepdim=True)
    faint = _column(10 ** (rng.uniform(-70, -40, n) / 20), device)
    reference = torch.where(loudest > SILENCE, loudest, faint)
    noisy = rng.random(n) < NOISY_SHARE
    softer = _column(noisy * 10 ** (-rng.uniform(12, 60, n) / 20), device)
    noise = steady_noise(n, NOISE_SAMPLES, rng, device)
    repeated = noise.repeat(1, -(-n_samples // NOISE_SAMPLES))[:, :n_samples]
    heard = heard + repeated * reference * softer
    near = rng.random(n) < 0.85
    level = 10 ** (np.where(near, rng.uniform(-35, -2, n), rng.uniform(-55, -30, n)) / 20)
    gains = torch.where(loudest > SILENCE, _column(level, device) / loudest.clamp(min=SILENCE), 1.0)
    view: Tensor = heard * gains
    return view.clamp(-1, 1)


def as_recorded(audio: Tensor, rng: np.random.Generator) -> Tensor:
    """Every clip as it is but for its level, -12 to 6 dB: float32 [n, T]."""
    level = 10 ** (rng.uniform(-12, 6, len(audio)) / 20)
    return (audio * _column(level, audio.device)).clamp(-1, 1)


def _column(values: npt.NDArray[np.floating[Any]], device: torch.device) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(device)[:, None]


def _rooms(n: int, rng: np.random.Generator, device: torch.device) -> Tensor:
    """Impulse responses: the direct sound, then noise that decays by 60 dB in 0.12 to 1.1 s."""
    time = torch.arange(TAIL_SAMPLES, device=device)
    decay_samples = _column(rng.uniform(0.12, 1.1, n) * SAMPLE_RATE_HZ, device)
    response = torch.randn(
        n, TAIL_SAMPLES, generator=generator_of(rng, device), device=device
    ) * 10 ** (-3 * time / decay_samples)
    response *= time >= _column(rng.uniform(32, 800, n), device)
    loudness = _column(10 ** (rng.uniform(-18, 1, n) / 20), device)
    response *= loudness / response.square().sum(-1, keepdim=True).sqrt().clamp(min=1e-9)
    response[:, 0] = 1
    return response


def _gains(n: int, rng: np.random.Generator, n_bins: int, device: torch.device) -> Tensor:
    """Gain per frequency: perhaps a limit, a tilt, a bump, a missing bottom; [n, n_bins]."""
    hz = torch.linspace(0, SAMPLE_RATE_HZ / 2, n_bins, device=device)
    octaves = (hz.clamp(min=30) / 1000).log2()
    tilts = _column((rng.random(n) < 0.7) * rng.uniform(-3, 3, n), device)
    bumps = _column((rng.random(n) < 0.5) * rng.uniform(-8, 8, n), device)
    centres = _column(rng.uniform(-3, 3.5, n), device)
    widths = _column(rng.uniform(0.5, 1.5, n), device)
    thin = _column((rng.random(n) < 0.2) * 18.0, device)
    bottoms_hz = _column(rng.uniform(80, 300, n), device)
    gain_db = tilts * octaves + bumps * (-(((octaves - centres) / widths) ** 2)).exp()
    gain_db = gain_db - thin * (bottoms_hz / hz.clamp(min=1)).log2().clamp(min=0)
    shares = [share for share, _, _ in CUTS_HZ]
    which = rng.choice(len(CUTS_HZ) + 1, n, p=[*shares, 1 - sum(shares)])
    bounds = np.array(
        [(low, high) for _, low, high in CUTS_HZ] + [(SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)]
    )
    limits_hz = _column(rng.uniform(bounds[which, 0], bounds[which, 1]), device)
    below: Tensor = torch.sigmoid((limits_hz - hz) / CUT_WIDTH_HZ)
    found: Tensor = below * 10 ** (gain_db / 20)
    return found


@cache
def front_end(device: torch.device) -> KaldiLogMel:
    """The embedder's front end, on a device."""
    return KaldiLogMel().to(device)


def windows(audio: Tensor, begins: npt.NDArray[np.bool_]) -> Tensor:
    """What the embedder reads of each node, float32 [n, 10, 200, 128], as in the live path.

    Args:
        audio: float32 [n, CLIP_SAMPLES].
        begins: bool [n]: sound begins with the first node, after silence.
    """
    before = torch.ones_like(audio)
    before[torch.from_numpy(begins).to(audio.device), :LEAD] = 0
    frames: Tensor = front_end(audio.device)(audio * before)
    a_second = SAMPLE_RATE_HZ // KALDI_LOG_MEL.hop_samples
    of_nodes: Tensor = frames.unfold(1, KALDI_LOG_MEL.n_frames, a_second)[:, :N_NODES]
    return of_nodes.transpose(2, 3)
