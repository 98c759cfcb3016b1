"""Overlapping frames of a waveform, nothing padded."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def check_length(waveform: npt.NDArray[Any], n_samples: int) -> None:
    """Makes sure that a waveform [..., T] holds a frame.

    Raises:
        ValueError: T is below ``n_samples``.
    """
    if waveform.shape[-1] < n_samples:
        raise ValueError(
            f"expected at least {n_samples} samples, found {waveform.shape[-1]}: pad with zeros"
        )


def framed(samples: npt.NDArray[Any], size: int, hop: int) -> npt.NDArray[Any]:
    """A view of the frames: [..., T] -> [..., 1 + (T - size) // hop, size].

    Args:
        samples: contiguous.
        size: of a frame, at most T.
        hop: from one frame's first sample to the next one's.
    """
    *batch, length = samples.shape
    strides = (*samples.strides[:-1], hop * samples.itemsize, samples.itemsize)
    shape = (*batch, 1 + (length - size) // hop, size)
    return np.ndarray(shape, samples.dtype, samples, strides=strides)
