"""Augmentation: simulated rooms, microphones and noise (ours)."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile

from mmgat.model.embedders.log_mel import SAMPLE_RATE_HZ

REVERB_TAIL_SAMPLES: Final = 16_000
PEAK_LIMIT: Final = 0.999


def _room(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draws an impulse response: direct sound, then noise that decays by 60 dB in 0.1 to 1 s."""
    t60 = rng.uniform(0.1, 1.0) * SAMPLE_RATE_HZ
    time = np.arange(REVERB_TAIL_SAMPLES)
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / t60)
    tail[: int(rng.uniform(16, 400))] = 0.0
    response = tail * (10 ** (rng.uniform(-18, 0) / 20) / max(1e-9, np.sqrt((tail**2).sum())))
    response[0] = 1.0
    return np.asarray(response)


def _spectral_shape(
    rng: np.random.Generator, hz: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Draws a gain for every frequency: a tilt, maybe a bump, maybe a high or low cut."""
    octaves = np.log2(np.maximum(hz, 30.0) / 1000.0)
    gain_db = rng.uniform(-3, 3) * octaves
    if rng.random() < 0.5:
        centre, width = rng.uniform(-3, 2.5), rng.uniform(0.5, 1.5)
        gain_db = gain_db + rng.uniform(-8, 8) * np.exp(-(((octaves - centre) / width) ** 2))
    if rng.random() < 0.25:
        gain_db = gain_db - 36 * np.maximum(0, np.log2(np.maximum(hz, 1) / rng.uniform(3500, 8000)))
    if rng.random() < 0.2:
        gain_db = gain_db - 18 * np.maximum(0, np.log2(rng.uniform(80, 350) / np.maximum(hz, 1)))
    return np.asarray(10 ** (gain_db / 20))


def noise(
    rng: np.random.Generator, samples: int, rate_hz: int = SAMPLE_RATE_HZ
) -> npt.NDArray[np.float64]:
    """Draws steady noise with an RMS of 1: hum with harmonics, or coloured noise.

    Hum is that of mains or, with more noise, of a motor. The spectrum of noise falls by 0 (white), 3
    (pink) or 6 dB (brown) an octave, or rises by 3 (blue), and may be limited to a band, as that of a
    fan or of a cheap amplifier.
    """
    if rng.random() < 0.25:
        time = np.arange(samples) / rate_hz
        motor = rng.random() < 1 / 3
        turns = rng.uniform(20, 150) if motor else float(rng.choice([50.0, 60.0]))
        waves = [rng.random() / k * np.sin(2 * np.pi * turns * k * time) for k in range(1, 13)]
        hiss_db = rng.uniform(-20, 0) if motor else -60.0
        found = np.sum(waves, axis=0) + 10 ** (hiss_db / 20) * rng.standard_normal(samples)
    else:
        found = rng.standard_normal(samples)
        slope = float(rng.choice([0.0, 0.5, 1.0, -0.5], p=[0.35, 0.35, 0.2, 0.1]))
        hz = np.fft.rfftfreq(samples, 1 / rate_hz)
        gain = np.maximum(hz, 20.0) ** -slope
        if rng.random() < 0.25:
            low, high = np.sort(rng.uniform(50, rate_hz / 2, 2))
            gain = gain * ((hz >= low) & (hz <= high + 50))
        if slope or not gain.all():
            found = np.fft.irfft(np.fft.rfft(found) * gain, samples)
    return np.asarray(found / np.sqrt((found**2).mean()))


def _coded(x: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Encodes and decodes samples [T] as MP3 with about 30 to 80 kbit/s."""
    file = io.BytesIO()
    scale = max(1.0, float(np.abs(x).max(initial=0.0)))
    soundfile.write(
        file, x / scale, SAMPLE_RATE_HZ, format="MP3", bitrate_mode="CONSTANT",
        compression_level=float(rng.uniform(0.5, 0.85)),
    )  # fmt: skip
    file.seek(0)
    decoded = soundfile.read(file)[0][: len(x)] * scale
    return np.asarray(np.pad(decoded, (0, len(x) - len(decoded))))


def augment(audio: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Makes a random augmented view of a clip: room, colour, noise, overload, codec, level.

    Shapes: float32 [T] mono at 16 kHz -> float32 [T], in [-1, 1]. The loudest tenth of a second
    ends between about -35 and -2 dBFS, in one view of five as low as -60; digital silence stays
    so, or becomes faint noise.
    """
    x = audio.astype(np.float64)
    samples = len(x)
    if rng.random() < 0.7:
        size = 1 << (samples + REVERB_TAIL_SAMPLES - 1).bit_length()
        spectrum = np.fft.rfft(x, size)
        if rng.random() < 0.5:
            spectrum *= np.fft.rfft(_room(rng), size)
        hz = np.linspace(0.0, SAMPLE_RATE_HZ / 2, size // 2 + 1)
        spectrum *= _spectral_shape(rng, hz)
        x = np.fft.irfft(spectrum, size)[:samples]
    block = SAMPLE_RATE_HZ // 10
    levels = np.sqrt((x[: samples // block * block].reshape(-1, block) ** 2).mean(axis=1))
    loudest = levels.max(initial=0.0)
    if rng.random() < 0.5:
        reference = loudest if loudest > 1e-5 else 10 ** (rng.uniform(-70, -40) / 20)
        x += noise(rng, samples) * reference * 10 ** (-rng.uniform(12, 55) / 20)
    if loudest > 1e-5:
        if rng.random() < 0.15:
            driven = x / loudest * rng.uniform(0.3, 2.0)
            x = np.tanh(driven) if rng.random() < 0.5 else np.clip(driven, -1.0, 1.0)
            loudest = float(np.sqrt((x**2).mean()))
        level_dbfs = rng.uniform(-60, -35) if rng.random() < 0.2 else rng.uniform(-35, -5)
        x *= 10 ** (level_dbfs / 20) / loudest
        if rng.random() < 0.15:
            x = _coded(x, rng)
    return np.clip(x, -PEAK_LIMIT, PEAK_LIMIT).astype(np.float32)
