"""How a clip may reach a microphone, and what the embedder reads of it (ours).

Half of the recordings end at 8 kHz and others at 16 kHz, so every clip is heard in all bandwidths:
what a sound lacks above says nothing of what it is.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft

from mmgat.model.embedders.kaldi_mel import KALDI_LOG_MEL, SAMPLE_RATE_HZ, kaldi_log_mel
from mmgat.training.synthesis.augment import noise
from mmgat.training.transfer.clips import CLIP_SAMPLES, LEAD, N_NODES, Clip, Samples

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


def onset(clip: Clip, rng: np.random.Generator) -> Clip:
    """Silence before a random moment, and in half of the clips after another one."""
    audio, labels, known = clip.audio.copy(), clip.labels.copy(), clip.known.copy()
    begins, ends = int(rng.uniform(0.2, 5) * SAMPLE_RATE_HZ), CLIP_SAMPLES
    audio[:begins] = 0
    audio[begins : begins + 64] *= np.linspace(0, 1, 64, dtype=np.float32)
    if rng.random() < 0.5:
        ends = int(rng.uniform(6, 10.9) * SAMPLE_RATE_HZ)
        audio[ends - 320 : ends] *= np.linspace(1, 0, 320, dtype=np.float32)
        audio[ends:] = 0
    for node in range(N_NODES):
        first = LEAD + node * SAMPLE_RATE_HZ
        sounding = min(first + SAMPLE_RATE_HZ, ends) - max(first, begins)
        if sounding <= 0:
            labels[node], known[node] = False, True
        elif sounding < LEAST_SOUNDING * SAMPLE_RATE_HZ:
            known[node] &= ~labels[node]
    return Clip(audio, labels, known)


def augment(audio: Samples, rng: np.random.Generator) -> Samples:
    """One random view of a clip or a shorter stretch: room, bandwidth, colour, noise, level.

    Shapes: float32 [T] at 32 kHz -> the same, in [-1, 1].
    """
    n_samples = len(audio)
    size = scipy.fft.next_fast_len(n_samples + TAIL_SAMPLES, real=True)
    spectrum = scipy.fft.rfft(audio, size)
    if rng.random() < 0.5:
        spectrum *= scipy.fft.rfft(_room(rng), size)
    spectrum *= _gains(rng, np.linspace(0, SAMPLE_RATE_HZ / 2, len(spectrum)))
    heard = scipy.fft.irfft(spectrum, size)[:n_samples].astype(np.float32)
    tenths = heard[: n_samples // 3_200 * 3_200].reshape(-1, 3_200)
    loudest = float(np.sqrt((tenths**2).mean(axis=1)).max())
    if rng.random() < 0.45:
        reference = loudest if loudest > 1e-5 else 10 ** (rng.uniform(-70, -40) / 20)
        steady = np.tile(noise(rng, 1 << 16, SAMPLE_RATE_HZ), -(-n_samples // (1 << 16)))
        softer = 10 ** (-rng.uniform(12, 60) / 20)
        heard = heard + (steady[:n_samples] * reference * softer).astype(np.float32)
    if loudest > 1e-5:
        level = rng.uniform(-35, -2) if rng.random() < 0.85 else rng.uniform(-55, -30)
        heard = heard * np.float32(10 ** (level / 20) / loudest)
    return np.asarray(np.clip(heard, -1, 1), np.float32)


def _room(rng: np.random.Generator) -> Samples:
    """An impulse response: the direct sound, then noise that decays by 60 dB in 0.12 to 1.1 s."""
    time = np.arange(TAIL_SAMPLES)
    response = rng.standard_normal(len(time)) * 10 ** (
        -3 * time / (rng.uniform(0.12, 1.1) * SAMPLE_RATE_HZ)
    )
    response[: int(rng.uniform(32, 800))] = 0
    response *= 10 ** (rng.uniform(-18, 1) / 20) / max(1e-9, float(np.sqrt((response**2).sum())))
    response[0] = 1
    return response.astype(np.float32)


def _gains(rng: np.random.Generator, hz: npt.NDArray[np.float64]) -> Samples:
    """Gain per frequency: perhaps a limit, a tilt, a bump, a missing bottom."""
    gain_db, octaves = np.zeros_like(hz), np.log2(np.maximum(hz, 30) / 1000)
    if rng.random() < 0.7:
        gain_db += rng.uniform(-3, 3) * octaves
    if rng.random() < 0.5:
        centre, width = rng.uniform(-3, 3.5), rng.uniform(0.5, 1.5)
        gain_db += rng.uniform(-8, 8) * np.exp(-(((octaves - centre) / width) ** 2))
    if rng.random() < 0.2:
        gain_db -= 18 * np.maximum(0, np.log2(rng.uniform(80, 300) / np.maximum(hz, 1)))
    gains = 10 ** (gain_db / 20)
    shares = [share for share, _, _ in CUTS_HZ]
    which = rng.choice(len(CUTS_HZ) + 1, p=[*shares, 1 - sum(shares)])
    if which < len(CUTS_HZ):
        _, low, high = CUTS_HZ[which]
        gains /= 1 + np.exp(np.clip((hz - rng.uniform(low, high)) / CUT_WIDTH_HZ, -50, 50))
    return gains.astype(np.float32)


def windows(audio: Samples, begins: bool) -> Samples:
    """What the embedder reads of each node, float32 [10, 200, 128], as in the live path.

    Args:
        audio: float32 [CLIP_SAMPLES].
        begins: sound begins with the first node, after silence.
    """
    silent = np.zeros(LEAD, np.float32)
    heard = np.concatenate([silent, audio[LEAD:]]) if begins else audio
    frames = kaldi_log_mel(heard)
    found = []
    for node in range(N_NODES):
        first = node * SAMPLE_RATE_HZ // KALDI_LOG_MEL.hop_samples
        found.append(frames[first : first + KALDI_LOG_MEL.n_frames])
    return np.stack(found)
