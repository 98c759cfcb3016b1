"""What an embedder is: the sound it hears, the spectrogram it reads, and the space it maps to.

Nothing here needs torch: live recognition in ONNX Runtime reads a specification, not a network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from mmgat.model.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor, nn

EMBEDDING_SIZE: Final = 128
"""Entries of VGGish's embedding, and of the compact embedder's."""


@dataclass(frozen=True)
class FrontEnd:
    """A spectrogram whose frames depend on nothing but the samples under them.

    Attributes:
        sample_rate_hz: of the waveform.
        frame_samples: samples under one frame.
        hop_samples: from one frame's first sample to the next one's.
        n_frames: frames an embedder reads at once.
        n_bands: frequency bands of a frame.
        compute: float32 [..., T] mono -> float32 [..., 1 + (T - frame_samples) // hop_samples,
            n_bands].
        in_torch: ``module:class`` of the same function as a torch module, float32 [B, T] -> float32
            [B, frames, n_bands], for devices that compute it themselves; or "".
    """

    sample_rate_hz: int
    frame_samples: int
    hop_samples: int
    n_frames: int
    n_bands: int
    compute: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
    in_torch: str = ""

    @property
    def window_samples(self) -> int:
        """Samples under all frames that an embedder reads at once."""
        return self.samples_of(self.n_frames)

    def samples_of(self, n_frames: int) -> int:
        """Samples under so many frames."""
        return self.frame_samples + (n_frames - 1) * self.hop_samples

    def new_frames(self, hop_s: float) -> int:
        """How many last frames of a window the one a hop before does not have."""
        shift = round(hop_s * self.sample_rate_hz)
        overlaps = shift % self.hop_samples == 0 and shift < self.window_samples
        return min(self.n_frames, shift // self.hop_samples) if overlaps else self.n_frames

    def torch_module(self) -> nn.Module:
        """The same function in torch, where ``in_torch`` names it."""
        module: nn.Module = _function(self.in_torch)()
        return module

    @property
    def lead_samples(self) -> int:
        """Samples that an embedder hears before the second its node stands for."""
        return max(0, self.window_samples - self.sample_rate_hz)

    def examples(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Windows float32 [..., T] -> their first frames, float32 [..., n_frames, n_bands].

        Raises:
            ValueError: T is below ``window_samples``.
        """
        if windows.shape[-1] < self.window_samples:
            raise ValueError(
                f"expected windows of at least {self.n_frames} frames ({self.window_samples:,} "
                f"samples), found {windows.shape[-1]:,} samples: pad with zeros"
            )
        return self.compute(windows[..., : self.window_samples])


@dataclass(frozen=True)
class EmbedderSpec:
    """One embedder, by the name that stands in a checkpoint's card.

    Attributes:
        name: of the embedder.
        variants: its embedding spaces; a checkpoint is made for one of them.
        front_end: what it reads.
        embedding_size: entries D of an embedding.
        carried: whether a checkpoint carries the embedder's weights with MMGAT's.
        loader: ``module:function`` that makes the network; imported only when torch computes. The
            function takes the carried tensors by name, the variant, and a user's path to published
            weights or None; it returns a module in evaluation mode, float32 [B, n_frames,
            n_bands] -> float32 [B, D].
        cpu_graph: ``module:function`` that makes an ONNX graph for the CPU, or "". The function
            takes the variant and a user's path to published weights or None; it returns the file.

    A node of the instance graph stands for one second. The embedder hears the window that ends
    with that second if the window is longer, and begins with it if it is shorter.
    """

    name: str
    variants: tuple[str, ...]
    front_end: FrontEnd
    embedding_size: int
    carried: bool
    loader: str
    cpu_graph: str = ""

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the waveform that the embedder hears."""
        return self.front_end.sample_rate_hz

    @property
    def window_samples(self) -> int:
        """Samples that one embedding is computed from: the receptive field."""
        return self.front_end.window_samples

    def load(
        self, state: Mapping[str, Tensor], variant: str, weights: Path | None = None
    ) -> nn.Module:
        """The network in torch.

        Raises:
            ModelError: the tensors do not fit, or published weights are not to be had.
        """
        network: nn.Module = _function(self.loader)(state, variant, weights)
        return network

    def onnx_graph(self, variant: str, weights: Path | None = None) -> Path:
        """The ONNX graph of an embedder with ``cpu_graph``, made at the first call.

        Raises:
            ModelError: published weights are not to be had.
            ModuleNotFoundError: it has to be made, and a library for that is missing.
            OSError: it cannot be stored.
        """
        path: Path = _function(self.cpu_graph)(variant, weights)
        return path


def fill(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Gives a network the tensors that a checkpoint carries.

    Raises:
        CheckpointError: they are of another network.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(f"the embedder in the checkpoint does not fit: {error}") from None


def _function(name: str) -> Any:
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)
