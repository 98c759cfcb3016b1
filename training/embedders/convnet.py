"""ConvNet (Han) as an embedder, trained by oneself on the clips that MMGAT is then fitted to (ours).

So MMGAT can be compared with a network that knows no more than it does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from mmgat.model.checkpoint import load_checkpoint
from mmgat.model.embedders.slaney_mel import SLANEY_LOG_MEL
from mmgat.model.errors import ModelError
from mmgat.model.labels import N_LABELS
from mmgat.training.embedders.weights import Published
from mmgat.training.errors import TrainingDataError

Samples = npt.NDArray[np.float32]

CONVNET: Final = Published(
    title="ConvNet (Han) at half width",
    file="han-convnet-0.4m.safetensors",
    licence="your own",
    source="mmgat-train publish-system RUN",
)
CONVNET_RATE_HZ: Final = SLANEY_LOG_MEL.sample_rate_hz
CONVNET_SAMPLES: Final = SLANEY_LOG_MEL.window_samples
CONVNET_UNITS: Final = 512
CONVNET_SIZE: Final = CONVNET_UNITS + N_LABELS
"""The units before the labels, and the labels' logits."""


def load_convnet(path: Path) -> Callable[[Samples], Samples]:
    """Returns a function from windows float32 [n, 22528] at 22.05 kHz to units and logits [n, 532].

    Args:
        path: a checkpoint that ``mmgat-train publish-system`` wrote of a run of ConvNet (Han).

    Raises:
        TrainingDataError: it is missing, damaged or of another system.
    """
    try:
        network: Any = load_checkpoint(path).embedder()
        units = getattr(network, "units", None)
        if units is None:
            raise ModelError(f"expected a system's checkpoint at {path}, found another")
        units(torch.zeros(1, SLANEY_LOG_MEL.n_frames, SLANEY_LOG_MEL.n_bands))
    except ModelError as error:
        raise TrainingDataError(
            f"{error}; expected as --weights what {CONVNET.source} writes of ConvNet (Han)"
        ) from None

    @torch.inference_mode()
    def embed(windows: Samples) -> Samples:
        frames = torch.from_numpy(SLANEY_LOG_MEL.examples(windows))
        return np.asarray(units(frames).numpy(), np.float32)

    return embed
