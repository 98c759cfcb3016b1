"""Modified group delay (Hegde, Murthy, Gadde 2007), as Voting-Swin-T uses it.

tau = (X_R Y_R + X_I Y_I) / S^(2 gamma), then sign(tau) |tau|^alpha; X is the spectrum of a frame x(n),
Y that of n x(n), S the cepstrally smoothed |X|; alpha 0.9, gamma 0.5. The number of cepstral
coefficients that are kept is ours.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

ALPHA: Final = 0.9
GAMMA: Final = 0.5
LIFTER: Final = 30
"""Cepstral coefficients kept by the smoothing."""

FLOOR: Final = 1e-5


def modified_group_delay(
    frames: npt.NDArray[np.floating], fft_size: int, n_bins: int
) -> npt.NDArray[np.float32]:
    """Computes the modified group delay of windowed frames.

    Args:
        frames: [..., T] with T <= fft_size.
        fft_size: of both spectra.
        n_bins: how many of the lowest bins are returned.

    Returns:
        float32 [..., n_bins]; 0 where a frame is silent.
    """
    samples = np.asarray(frames, np.float64)
    x = np.fft.rfft(samples, fft_size)
    y = np.fft.rfft(samples * np.arange(samples.shape[-1]), fft_size)[..., :n_bins]
    cepstrum = np.fft.irfft(np.log(np.abs(x) + FLOOR), fft_size)
    cepstrum[..., LIFTER : fft_size - LIFTER + 1] = 0.0
    smooth = np.exp(np.fft.rfft(cepstrum, fft_size).real[..., :n_bins])
    x = x[..., :n_bins]
    tau = (x.real * y.real + x.imag * y.imag) / smooth ** (2 * GAMMA)
    return (np.sign(tau) * np.abs(tau) ** ALPHA).astype(np.float32)
