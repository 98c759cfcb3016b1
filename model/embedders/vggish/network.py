"""VGGish: the embedding the paper uses, with torchvggish's published weights.

The network is written out here (twelve lines, the state keys of torchvggish) since importing
torchvggish costs 4 s, pulls in numba, and its post-processor always goes to the network; a test
holds both equal. Source: Hershey et al. 2017; harritaylor/torchvggish release v0.1 (Apache-2.0).

Two variants of the rows exist and are never mixed:

* ``pre-activation+pca+8bit``: Google's AudioSet rows; the last layer has no ReLU.
* ``relu+pca+8bit``: OpenMIC-2018's rows and torchvggish's own output.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from mmgat.model.card import sha256_of
from mmgat.model.embedders.base import EMBEDDING_SIZE
from mmgat.model.errors import WeightsError

VARIANTS: Final = ("pre-activation+pca+8bit", "relu+pca+8bit")
RELEASE_URL: Final = "https://github.com/harritaylor/torchvggish/releases/download/v0.1/"
NETWORK_FILE: Final = "vggish-10086976.pth"
PCA_FILE: Final = "vggish_pca_params-970ea276.pth"
QUANTIZE_LIMIT: Final = 2.0


def _convolutions() -> nn.Sequential:
    layers: list[nn.Module] = []
    n_in = 1
    for width in (64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool"):
        if isinstance(width, int):
            layers += [nn.Conv2d(n_in, width, 3, padding=1), nn.ReLU(inplace=True)]
            n_in = width
        else:
            layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers)


class VGGishEmbedder(nn.Module):
    """VGGish with PCA, whitening and 8-bit quantisation, returned as centred rows in [-2, 2].

    Args:
        variant: one of ``VARIANTS``.

    Shapes: float32 [B, 96, 64] -> float32 [B, 128]. A row is q * 4 / 255 - 2 of the 8-bit value q,
    so that cosine similarity tells rows apart. q is truncated as in Google's and OpenMIC's files
    (torchvggish rounds).
    """

    name = "vggish"
    pca_eigen_vectors: Tensor
    pca_means: Tensor

    def __init__(self, variant: str = VARIANTS[0]) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise WeightsError(f"expected a VGGish variant of {VARIANTS}, found {variant!r}")
        self.variant = variant
        self.features = _convolutions()
        self.embeddings = nn.Sequential(
            nn.Linear(512 * 4 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, EMBEDDING_SIZE),
            nn.ReLU() if variant.startswith("relu") else nn.Identity(),
        )
        self.register_buffer("pca_eigen_vectors", torch.eye(EMBEDDING_SIZE))
        self.register_buffer("pca_means", torch.zeros(EMBEDDING_SIZE, 1))

    def raw(self, log_mel: Tensor) -> Tensor:
        """The 128 outputs of the network before post-processing, [B, 128]."""
        images = log_mel.to(next(self.parameters()).dtype).unsqueeze(1)
        images = images.contiguous(memory_format=torch.channels_last)
        flat = self.features(images).permute(0, 2, 3, 1).flatten(1)  # N, H, W, C as in TensorFlow
        outputs: Tensor = self.embeddings(flat)
        return outputs.float()

    def in_half(self) -> VGGishEmbedder:
        """Lets the network compute in half precision; PCA and quantisation stay in single."""
        self.features.half()
        self.embeddings.half()
        return self

    def quantized(self, log_mel: Tensor) -> Tensor:
        """Whole numbers 0..255 as float32, [B, 128], as published rows have them."""
        whitened = (self.raw(log_mel) - self.pca_means.T) @ self.pca_eigen_vectors.T
        clipped = whitened.clamp(-QUANTIZE_LIMIT, QUANTIZE_LIMIT)
        return ((clipped + QUANTIZE_LIMIT) * (255 / (2 * QUANTIZE_LIMIT))).floor()

    def forward(self, log_mel: Tensor) -> Tensor:
        """Log-mel float32 [B, 96, 64] -> embeddings float32 [B, 128]."""
        return dequantize(self.quantized(log_mel))


def dequantize(quantized: Tensor) -> Tensor:
    """8-bit VGGish values 0..255 -> centred rows in [-2, 2]."""
    return quantized * (2 * QUANTIZE_LIMIT / 255) - QUANTIZE_LIMIT


def hub_folder() -> Path:
    """torch.hub's checkpoint folder, found without importing torch.hub."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    home = Path(os.environ.get("TORCH_HOME", cache / "torch")).expanduser()
    return home / "hub" / "checkpoints"


def find_weights(weights: Path | None = None, download: bool = True) -> tuple[Path, Path]:
    """The network's and the PCA's file.

    Args:
        weights: folder with both published files, or the network's file with the PCA's beside it;
            None for torch.hub's cache.
        download: fetch what is missing from torch.hub's cache, with a progress bar, hash checked.

    Raises:
        WeightsError: not there and not to be had; the message names files, addresses and places.
    """
    folder = hub_folder() if weights is None else weights
    network = folder
    if folder.is_dir() or weights is None:
        network = folder / NETWORK_FILE
    paths = (network, network.parent / PCA_FILE)
    if missing := [path for path in paths if not path.is_file()]:
        if weights is not None or not download:
            raise WeightsError(_how_to_get(missing, "are not there"))
        _download(missing)
    for path in paths:
        _check_hash(path)
    return paths


def load_vggish(
    variant: str = VARIANTS[0], weights: Path | None = None, download: bool = True
) -> VGGishEmbedder:
    """VGGish with published weights, in evaluation mode.

    Raises:
        WeightsError: the files cannot be had, are damaged, or are not VGGish's.
    """
    network_path, pca_path = find_weights(weights, download)
    with torch.device("meta"):
        embedder = VGGishEmbedder(variant)
    network = _load(network_path)
    pca = {key: torch.as_tensor(value).float() for key, value in _load(pca_path).items()}
    if "pca_means" in pca:
        pca["pca_means"] = pca["pca_means"].reshape(-1, 1)
    state = {key: value for key, value in network.items() if not key.startswith("pproc.")} | pca
    try:
        embedder.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise WeightsError(
            f"expected VGGish's tensors in {network_path} and {pca_path}: {error}"
        ) from None
    embedder.features.to(memory_format=torch.channels_last)  # x0.8 of the time on a CPU
    return embedder.eval().requires_grad_(False)


def load_published(
    state: Mapping[str, Tensor], variant: str, weights: Path | None = None
) -> VGGishEmbedder:
    """VGGish as ``EmbedderSpec.load`` asks for it; a checkpoint carries nothing of it."""
    return load_vggish(variant, weights)


def _load(path: Path) -> dict[str, Any]:
    """A published .pth file; nothing but tensors and numpy arrays is unpickled."""
    reconstruct = np._core.multiarray._reconstruct  # type: ignore[attr-defined]
    array_parts: list[Any] = [
        reconstruct,
        (reconstruct, "numpy.core.multiarray._reconstruct"),  # as numpy 1 wrote it
        np.ndarray,
        np.dtype,
        type(np.dtype(np.float32)),
        type(np.dtype(np.float64)),
    ]
    try:
        with torch.serialization.safe_globals(array_parts):
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{path} is damaged or not a weights file ({reason}): delete it and fetch it again"
        ) from None
    if not isinstance(state, dict):
        raise WeightsError(f"expected a state dict in {path}, found {type(state).__name__}")
    return state


def _check_hash(path: Path) -> None:
    """Published names end in the first eight digits of the file's sha256."""
    stem, _, digits = path.stem.rpartition("-")
    if stem and len(digits) == 8 and not (found := sha256_of(path)).startswith(digits):
        raise WeightsError(
            f"{path} is damaged: expected a sha256 that begins {digits}, found {found[:8]}: "
            "delete it and fetch it again"
        )


def _download(missing: Sequence[Path]) -> None:
    for path in missing:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(
                RELEASE_URL + path.name, str(path), path.stem.rpartition("-")[2], progress=True
            )
        except (OSError, RuntimeError) as error:
            raise WeightsError(_how_to_get(missing, f"could not be downloaded ({error})")) from None


def _how_to_get(missing: Sequence[Path], why: str) -> str:
    lines = [f"VGGish's weights {why}:"]
    lines += [f"  {RELEASE_URL}{path.name}  ->  {path}" for path in missing]
    lines.append(
        "Fetch them on a machine with internet and put them there, or name their folder with "
        "--weights PATH; --model compact needs no download."
    )
    return "\n".join(lines)
