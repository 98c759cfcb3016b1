"""A window network as the embedder of a checkpoint, so that it runs live (ours).

It reads log-mel windows or seconds of samples; of the latter the features of its training may be
computed first, by the same code. Its embedding is the window's logits, twice: for similarity, and as
MMGAT's prior logits. An MMGAT that adds nothing to them is all that follows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from mmgat.model.embedders.slaney_mel import (
    LOG_OFFSET,
    N_MELS,
    SAMPLE_RATE_HZ,
    hz_to_slaney,
    slaney_to_hz,
)
from mmgat.model.errors import CheckpointError
from mmgat.model.labels import N_LABELS
from mmgat.model.mmgat import MMGAT, MMGATConfig
from mmgat.training.comparators.registry import SYSTEMS
from mmgat.training.comparators.systems.han_convnet import HanConvNet
from mmgat.training.comparators.windows import WindowModel
from mmgat.training.features.registry import FEATURES, RATE_HZ

EMBEDDERS: Final = {"log-mel": "windows-log-mel", "raw": "windows-raw"} | {
    kind.name: "windows-raw" for kind in FEATURES.values() if kind.of_seconds
}
"""Features -> embedder of a system that runs live."""

_EDGES_HZ: Final = slaney_to_hz(
    np.linspace(0.0, float(hz_to_slaney(SAMPLE_RATE_HZ / 2)), N_MELS + 2)
)
N_HEARD: Final = int((_EDGES_HZ[2:] <= RATE_HZ / 2).sum())
"""Log-mel bands that hold sound in the yard, which ends at 8 kHz; a live stream's may go on."""

VARIANT: Final = "logits-1"
ALONE: Final = -30.0
"""Share of the context, before the sigmoid: none."""


class WindowEmbedder(nn.Module):
    """Frames float32 [B, n_frames, n_bands] -> the window's logits, twice, [B, 40].

    Args:
        name: of the system in ``SYSTEMS``.
        settings: of its configuration.
        features: that it reads.

    Attributes:
        of_seconds: computes the features of samples, if those are what the frames hold.
        is_log_mel: whether the frames are log-mel ones, of which the network knows ``N_HEARD`` bands.
    """

    described: Tensor

    def __init__(self, name: str, settings: dict[str, Any], features: str) -> None:
        super().__init__()
        system = SYSTEMS[name]
        self.of_seconds = FEATURES[features].of_seconds
        self.is_log_mel = features == "log-mel"
        network = system.build(msgspec.convert(settings, system.config))
        assert isinstance(network, WindowModel)
        self.network = network
        about = {"name": name, "settings": settings, "features": features}
        text = json.dumps(about).encode()
        self.register_buffer("described", torch.tensor(list(text), dtype=torch.uint8))

    def forward(self, frames: Tensor) -> Tensor:
        """Computes the logits."""
        logits, _ = self.network.windows(self._windows(frames))
        return torch.cat([logits, logits], dim=1)

    def units(self, frames: Tensor) -> Tensor:
        """Computes the units before the labels, and the logits behind them, [B, units + 20].

        Raises:
            CheckpointError: the network is not Han's ConvNet.
        """
        if not isinstance(self.network, HanConvNet):
            found = type(self.network).__name__
            raise CheckpointError(
                f"expected units before the labels, as of ConvNet (Han), found {found}"
            )
        units = self.network.trunk(self._windows(frames))
        return torch.cat([units, self.network.classifier(units)], dim=1)

    def _windows(self, frames: Tensor) -> Tensor:
        if self.of_seconds is not None:
            samples = frames.reshape(-1).cpu().numpy()
            frames = torch.from_numpy(self.of_seconds(samples)).to(frames)
        elif self.is_log_mel:
            silence = torch.full_like(frames[..., N_HEARD:], float(np.log(LOG_OFFSET)))
            frames = torch.cat([frames[..., :N_HEARD], silence], dim=-1)
        return frames.reshape(-1, *self.network.shape)


def load_windows(state: Mapping[str, Tensor], variant: str, weights: Path | None) -> WindowEmbedder:
    """Loads the embedder from a checkpoint's tensors; the last two arguments change nothing.

    Raises:
        CheckpointError: the tensors are of no system that there is.
    """
    try:
        described = json.loads(bytes(state["described"].tolist()))
        embedder = WindowEmbedder(**described)
        embedder.load_state_dict(dict(state))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"expected the tensors of a system of {', '.join(SYSTEMS)}, found {error!r}"
        ) from None
    return embedder.eval()


def silent_mmgat() -> MMGAT:
    """An MMGAT whose scores are those of the prior logits of each window."""
    config = MMGATConfig(
        scales=("temporal-1",),
        n_layers=1,
        input_size=2 * N_LABELS,
        n_compared=N_LABELS,
        has_prior=True,
        hidden=16,
        state_sizes=(8, 8),
        text_size=0,
        n_auxiliary=0,
    )
    mmgat = MMGAT(config, None)
    assert mmgat.prior is not None
    nn.init.constant_(mmgat.prior.share, ALONE)
    return mmgat.eval()
