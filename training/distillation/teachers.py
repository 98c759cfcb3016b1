"""Two public AudioSet taggers, loaded from files that the user has: YAMNet and EfficientAT's mn04.

YAMNet (Google, Apache-2.0) is a TensorFlow Lite file. mn04 (Schmid et al., "Efficient Large-Scale Audio
Tagging via Transformer-to-CNN Knowledge Distillation", ICASSP 2023; MIT) is a MobileNetV3 of width 0.4,
published as a torch state dict. Neither is a part of this project.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mmgat.training.errors import TrainingDataError

Samples = npt.NDArray[np.float32]

YAMNET_RATE_HZ: Final = 16_000
YAMNET_SAMPLES: Final = 15_600
N_YAMNET: Final = 521

MN04_RATE_HZ: Final = 32_000
N_MN04: Final = 527
MN04_FEATURES: Final = 384


class ClipTagger(Protocol):
    """A teacher that tags whole clips."""

    def __call__(self, clips: Samples) -> tuple[Samples, Samples]:
        """Clips [n, T] at 32 kHz -> class probabilities [n, 527] and features [n, 384]."""
        ...


class WindowTagger(Protocol):
    """A teacher that tags every second."""

    def __call__(self, clip: Samples) -> Samples:
        """A clip [T] at 16 kHz -> class probabilities [n, 521], one row a whole second."""
        ...


class Teachers(NamedTuple):
    """The two teachers of a clip."""

    mn04: ClipTagger
    yamnet: WindowTagger


@dataclass(frozen=True)
class TeacherFiles:
    """The published files of the teachers.

    Attributes:
        mn04: state dict, such as ``mn04_as_mAP_432.pt``.
        yamnet: TensorFlow Lite file.
    """

    mn04: Path
    yamnet: Path

    def load(self) -> Teachers:
        """Loads both teachers.

        Raises:
            TrainingDataError: a file is missing or is not what it should be.
        """
        return Teachers(Mn04(self.mn04), Yamnet(self.yamnet))


class Yamnet:
    """YAMNet, on one thread.

    Args:
        path: TensorFlow Lite file.

    Raises:
        TrainingDataError: the file is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            if not path.is_file():
                raise OSError("no file")
            self._interpreter = Interpreter(str(path), num_threads=1)
            self._interpreter.allocate_tensors()
        except (OSError, ValueError, RuntimeError) as error:
            raise TrainingDataError(
                f"expected YAMNet's TensorFlow Lite file at {path}, found {error}"
            ) from None
        self._output = self._interpreter.get_output_details()[0]["index"]

    def __call__(self, clip: Samples) -> Samples:
        """Computes probabilities [n, 521] of a clip [T] at 16 kHz, one row a second."""
        clip = np.pad(clip, (0, max(0, YAMNET_SAMPLES - len(clip))))
        rows = []
        for start in range(0, len(clip) - YAMNET_SAMPLES + 1, YAMNET_RATE_HZ):
            window = clip[None, start : start + YAMNET_SAMPLES].astype(np.float32)
            self._interpreter.set_tensor(0, window)
            self._interpreter.invoke()
            rows.append(self._interpreter.get_tensor(self._output)[0].copy())
        return np.stack(rows)


class Mn04:
    """EfficientAT's mn04, strongest on clips of ten seconds.

    Args:
        path: the published state dict.

    Raises:
        TrainingDataError: the file is missing, damaged or of another network.
    """

    def __init__(self, path: Path) -> None:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            network = mn04_network()
            network.load_state_dict(renamed(state, network))
        except (OSError, RuntimeError, KeyError, AttributeError, pickle.PickleError) as error:
            reason = str(error).splitlines()[0]
            raise TrainingDataError(
                f"expected the state dict of mn04 at {path}, found {reason}"
            ) from None
        self._network = network.eval()
        self._window = torch.hann_window(800, periodic=False)
        self._mel = torch.from_numpy(kaldi_mel_bands(128, 1024, MN04_RATE_HZ, 15_000.0))

    @torch.inference_mode()
    def __call__(self, clips: Samples) -> tuple[Samples, Samples]:
        """Computes probabilities [n, 527] and features [n, 384] of clips [n, T] at 32 kHz."""
        network: Any = self._network
        features = network.avgpool(network.features(self.log_mel(torch.from_numpy(clips))))
        features = features.flatten(1)
        return network.classifier(features).sigmoid().numpy(), features.numpy()

    def log_mel(self, clips: Tensor) -> Tensor:
        """Clips [n, T] at 32 kHz -> log-mel [n, 1, 128, 1 + T // 320], scaled as in training."""
        emphasised = clips[:, 1:] - 0.97 * clips[:, :-1]
        spectrum = torch.stft(emphasised, 1024, 320, 800, window=self._window, return_complex=True)
        power = spectrum.abs().square()
        return (((self._mel @ power + 1e-5).log() + 4.5) / 5).unsqueeze(1)


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


def kaldi_mel_bands(n_bands: int, n_fft: int, rate_hz: int, high_hz: float) -> Samples:
    """Computes Kaldi's mel bands from 0 Hz, float32 [n_bands, n_fft // 2 + 1].

    They are triangles over mel, unlike librosa's over Hz, and the Nyquist frequency has no weight.
    """
    hz = np.arange(n_fft // 2 + 1) * rate_hz / n_fft
    mel = 1127.0 * np.log1p(hz / 700.0)
    corners = np.linspace(0.0, 1127.0 * np.log1p(high_hz / 700.0), n_bands + 2)
    bands = np.stack(
        [
            np.interp(mel, corners[band : band + 3], [0.0, 1.0, 0.0], left=0.0, right=0.0)
            for band in range(n_bands)
        ]
    )
    bands[:, -1] = 0.0
    return bands.astype(np.float32)
