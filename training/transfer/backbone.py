"""mn04's published weights in the embedder's network, and that network in two halves.

What the first half says of a window never changes, so it is computed once for all views; only
the second half and the classes are trained on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mmgat.model.embedders.mobilenet import N_FEATURES, SpectrogramMobileNet
from mmgat.model.embedders.tagger import N_HIDDEN
from mmgat.model.embedders.tags import TAGS
from mmgat.training.data.published.audioset_names import (
    label_columns,
    music_columns,
)
from mmgat.training.embedders.mn04 import N_MN04, published_network

FIRST_LAYERS: Final = 12
"""Layers of the first half: up to the tenth block."""


def kept_classes(class_names: list[str]) -> list[int]:
    """AudioSet's classes that the embedder computes: music, singing, and the tags; in order."""
    labels = {column for columns in label_columns(class_names) for column in columns}
    tags = (class_names.index(tag) for tag in TAGS)
    return sorted({*music_columns(class_names), *labels, *tags})


class Classes(nn.Module):
    """mn04's head: features float32 [..., 384] -> logits [..., 527] of AudioSet's classes.

    Args:
        n_classes: 527, or as many as an embedder keeps.
    """

    def __init__(self, n_classes: int = N_MN04) -> None:
        super().__init__()
        self.hidden = nn.Linear(N_FEATURES, N_HIDDEN)
        self.classes = nn.Linear(N_HIDDEN, n_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Computes the logits; see the class for shapes."""
        logits: Tensor = self.classes(nn.functional.hardswish(self.hidden(features)))
        return logits


class Tail(nn.Module):
    """The second half: what the first says [B, 32, 8, T'] -> features [B, 384], logits [B, 527]."""

    def __init__(self, network: SpectrogramMobileNet, classes: Classes) -> None:
        super().__init__()
        self.layers = network.layers[FIRST_LAYERS:]
        self.classes = classes

    def forward(self, middle: Tensor) -> tuple[Tensor, Tensor]:
        """Computes features and logits; see the class for shapes."""
        features = self.layers(middle).mean(dim=(2, 3))
        return features, self.classes(features)


class Stem(nn.Module):
    """The first half: log-mel float32 [B, T, 128] -> [B, 32, 8, T']."""

    def __init__(self, network: SpectrogramMobileNet) -> None:
        super().__init__()
        self.layers = network.layers[:FIRST_LAYERS]

    def forward(self, log_mel: Tensor) -> Tensor:
        """Computes the middle; see the class for shapes."""
        middle: Tensor = self.layers(log_mel.transpose(1, 2).unsqueeze(1))
        return middle


def load_mn04(path: Path) -> tuple[SpectrogramMobileNet, Classes]:
    """The network with mn04's weights, normalisation folded in, and mn04's head; for evaluation.

    Raises:
        TrainingDataError: the file is missing, damaged or of another network.
    """
    published = published_network(path)
    folded: list[nn.Conv2d] = []
    for name, module in published.named_modules():
        if isinstance(module, nn.Conv2d):
            folded.append(module)
        elif isinstance(module, nn.BatchNorm2d) and name.startswith("features"):
            folded[-1] = fuse_conv_bn_eval(folded[-1], module)
    network, classes = SpectrogramMobileNet(), Classes()
    own = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    for to, source in zip(own, folded, strict=True):
        to.load_state_dict(source.state_dict())
    state = published.state_dict()
    for layer, place in ((classes.hidden, "classifier.0"), (classes.classes, "classifier.3")):
        layer.load_state_dict({k: state[f"{place}.{k}"] for k in ("weight", "bias")})
    return network.eval(), classes.eval()
