"""The ten systems that the paper compares with, by name. A new one is a module of ``systems`` and an
entry here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from torch import nn

from mmgat.model.bag_model import BagModel
from mmgat.training.comparators.preparation import Preparation
from mmgat.training.comparators.systems import staged_convnet, vae_augmentation, wavegan
from mmgat.training.comparators.systems.aedcn import AEDCN, AEDCNConfig, AEDCNLoss
from mmgat.training.comparators.systems.audio_dnn import AudioConfig, AudioDNN
from mmgat.training.comparators.systems.bosch_svm import SupportVectors, SVMConfig
from mmgat.training.comparators.systems.han_convnet import HanConfig, HanConvNet
from mmgat.training.comparators.systems.mtf_dnn import TextureConfig, TextureDNN
from mmgat.training.comparators.systems.multitask_convnet import (
    MultitaskConfig,
    MultitaskConvNet,
    MultitaskLoss,
)
from mmgat.training.comparators.systems.staged_convnet import Stage, StagedConfig
from mmgat.training.comparators.systems.vae_augmentation import VAEConfig
from mmgat.training.comparators.systems.voting_swin import SwinConfig, SwinLoss, VotingSwin
from mmgat.training.comparators.systems.wavegan import WaveGANConfig
from mmgat.training.comparators.windows import WindowLoss
from mmgat.training.data.bags import Bags


@dataclass(frozen=True)
class System:
    """One system.

    Attributes:
        name: in a recipe's ``network``.
        title: in tables.
        features: kind of features that it reads, in a recipe's ``embeddings``.
        config: its settings, in a recipe's ``[system]``.
        build: config -> untrained network.
        criterion: network, config -> loss.
        classical: it is fitted by its own ``fit``, not by gradients.
        prepare: training bags, config -> more training bags.
        stages: training bags, config, batch -> stages of the fit.
        published: what its authors, or MMGAT's, report.
        live: its scores may come a window at a time.
    """

    name: str
    title: str
    features: str
    config: type[msgspec.Struct]
    build: Callable[[Any], BagModel]
    criterion: Callable[[Any, Any], nn.Module] = lambda network, config: WindowLoss()
    classical: bool = False
    prepare: Callable[[Bags, Any, Preparation], Bags] | None = None
    stages: Callable[[Bags, Any, Preparation, int], list[Stage]] | None = None
    published: str = ""
    live: bool = field(default=False)


_ALL: Final = (
    System(
        "bosch-svm",
        "SVM (Bosch)",
        "handcrafted",
        SVMConfig,
        SupportVectors,
        classical=True,
        live=True,
        published="IRMAS .503 / .432",
    ),
    System(
        "mtf-dnn", "MTF-DNN", "texture", TextureConfig, TextureDNN, published="not found", live=True
    ),
    System(
        "audio-dnn", "Audio DNN", "raw", AudioConfig, AudioDNN,
        published="not found (which paper is not said)", live=True,
    ),
    System(
        "han-convnet", "ConvNet (Han)", "log-mel", HanConfig, HanConvNet,
        published="IRMAS .602 / .503", live=True,
    ),
    System(
        "multitask-convnet",
        "Multi-task ConvNet",
        "time-frequency-frames",
        MultitaskConfig,
        MultitaskConvNet,
        lambda network, config: MultitaskLoss(config),
        published="OpenMIC+IRMAS .61",
        live=True,
    ),
    System(
        "wavegan-convnet",
        "WaveGAN ConvNet",
        "log-mel",
        WaveGANConfig,
        lambda config: HanConvNet(config.convnet),
        prepare=wavegan.augmented,
        published="IRMAS .69 / .62 (fusion with modified group delay)",
        live=True,
    ),
    System(
        "voting-swin",
        "Voting-Swin-T",
        "three-images",
        SwinConfig,
        VotingSwin,
        lambda network, config: SwinLoss(),
        published="IRMAS .66 / .62; OpenMIC+IRMAS .60",
    ),
    System(
        "vae-convnet",
        "VAE-augmentation ConvNet",
        "log-mel",
        VAEConfig,
        lambda config: HanConvNet(config.convnet),
        prepare=vae_augmentation.augmented,
        published="not found",
        live=True,
    ),
    System(
        "staged-convnet",
        "Staged-trained ConvNet",
        "log-mel",
        StagedConfig,
        lambda config: HanConvNet(config.convnet),
        stages=staged_convnet.stages,
        published="not found; Zhong et al. IRMAS micro .674",
        live=True,
    ),
    System(
        "aedcn",
        "AEDCN",
        "mel-and-tempogram",
        AEDCNConfig,
        AEDCN,
        lambda network, config: AEDCNLoss(network),
        published="OpenMIC+IRMAS .61",
    ),
)  # fmt: skip

SYSTEMS: Final = {system.name: system for system in _ALL}
"""name -> system."""
