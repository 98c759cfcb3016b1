"""EfficientAT's mn04: a MobileNetV3 of width 0.4, a torch state dict that the user has (MIT).

Source: Schmid et al., "Efficient Large-Scale Audio Tagging via Transformer-to-CNN Knowledge
Distillation", ICASSP 2023.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mmgat.training.embedders.kaldi import MN04_RATE_HZ, centred_log_mel
from mmgat.training.embedders.weights import Published
from mmgat.training.errors import TrainingDataError

Samples = npt.NDArray[np.float32]

__all__ = (
    "MN04",
    "MN04_FEATURES",
    "MN04_RATE_HZ",
    "N_MN04",
    "Mn04",
    "mn04_network",
    "published_network",
    "renamed",
)

MN04: Final = Published(
    title="mn04",
    file="mn04_as_mAP_432.pt",
    licence="MIT",
    source="https://github.com/fschmid56/EfficientAT/releases",
)

N_MN04: Final = 527
MN04_FEATURES: Final = 384


class Mn04:
    """EfficientAT's mn04, strongest on clips of ten seconds.

    Args:
        path: the published state dict.

    Raises:
        TrainingDataError: the file is missing, damaged or of another network.
    """

    def __init__(self, path: Path) -> None:
        self._network = published_network(path)

    @torch.inference_mode()
    def __call__(self, clips: Samples) -> tuple[Samples, Samples]:
        """Computes probabilities [n, 527] and features [n, 384] of clips [n, T] at 32 kHz."""
        network: Any = self._network
        features = network.avgpool(network.features(centred_log_mel(torch.from_numpy(clips))))
        features = features.flatten(1)
        return network.classifier(features).sigmoid().numpy(), features.numpy()


def published_network(path: Path) -> nn.Module:
    """mn04 with the weights of its authors' file, for evaluation.

    Raises:
        TrainingDataError: the file is missing, damaged or of another network.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network = mn04_network()
        network.load_state_dict(renamed(state, network))
    except (OSError, RuntimeError, KeyError, AttributeError, pickle.PickleError) as error:
        reason = str(error).splitlines()[0]
        raise TrainingDataError(
            f"expected the state dict of mn04 at {path}, found {reason}"
        ) from None
    return network.eval()


def mn04_network() -> nn.Module:
    """Builds mn04: torchvision's MobileNetV3 of width 0.4 with one input channel and sigmoid gates."""
    from torchvision.models.mobilenetv3 import MobileNetV3, _mobilenet_v3_conf
    from torchvision.ops import SqueezeExcitation

    blocks, _ = _mobilenet_v3_conf("mobilenet_v3_large", width_mult=0.4)
    network: Any = MobileNetV3(blocks, last_channel=512, num_classes=N_MN04)
    stem = network.features[0]
    stem[0] = nn.Conv2d(1, stem[0].out_channels, 3, stride=2, padding=1, bias=False)
    for module in network.modules():
        if isinstance(module, SqueezeExcitation):
            module.scale_activation = nn.Sigmoid()
    return cast(nn.Module, network)


def renamed(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Gives the published tensors torchvision's names and shapes.

    Raises:
        KeyError: a tensor is not of this network.
        RuntimeError: a tensor has another size.
    """
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    names = {
        name: name.replace("conc_se_layers.0.", "")
        .replace("classifier.2.", "classifier.0.")
        .replace("classifier.5.", "classifier.3.")
        for name in state
    }
    return {names[name]: tensor.reshape(shapes[names[name]]) for name, tensor in state.items()}
