"""Staged-trained ConvNet: likely Szeliga, Tarasiuk, Stasiak, Szczepaniak, "Musical Instrument
Recognition with a Convolutional Neural Network and Staged Training", KES 2022. Known, from MMGAT's
authors: a "cross-dataset curriculum". No text was to be had; Zhong et al. (APSIPA 2023, arXiv
2306.08850) do the same with single notes, then mixtures.

Our reconstruction, with the ConvNet of Han: single recorded players; then mixtures and renderings;
then those in rooms, with noise and codecs, at a fifth of the learning rate. ``staged = false``
takes as many steps on all clips in random order: what is left is the order's share.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from mmgat.training.comparators.preparation import Preparation
from mmgat.training.comparators.systems.han_convnet import HanConfig
from mmgat.training.data.bags import Bags

STAGES: Final = (("solo",), ("notes", "rendered", "nothing"), ("degraded", "notes", "nothing"))
"""Kinds of clips of each stage."""

RATES: Final = (1.0, 1.0, 0.2)


class StagedConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes of the network, and epochs of each stage.

    Attributes:
        convnet: the network's.
        epochs: of each stage.
        staged: whether the order is kept.
    """

    convnet: HanConfig = HanConfig()
    epochs: tuple[int, int, int] = (8, 8, 4)
    staged: bool = True


class Stage(NamedTuple):
    """Bags to fit to, for how many epochs, and a factor of the learning rate."""

    bags: Bags
    epochs: int
    rate: float


def stages(train: Bags, config: StagedConfig, preparation: Preparation, batch: int) -> list[Stage]:
    """The stages of a fit, in order.

    Args:
        train: all training bags.
        config: of the system.
        preparation: loads clips by kind.
        batch: bags in a step, for a shuffled fit of as many steps.
    """
    parts = [preparation.load("train", "log-mel", kinds) for kinds in STAGES]
    if config.staged:
        return [
            Stage(bags, epochs, rate)
            for bags, epochs, rate in zip(parts, config.epochs, RATES, strict=True)
        ]
    steps = sum(
        epochs * max(1, len(bags) // batch)
        for bags, epochs in zip(parts, config.epochs, strict=True)
    )
    return [Stage(train, max(1, round(steps / max(1, len(train) // batch))), 1.0)]
