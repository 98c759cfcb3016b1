"""A small untrained model and synthetic sound that the tests share."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import torch

from mmgat.model.backends.base import Graphs
from mmgat.model.backends.loading import LoadedModel
from mmgat.model.backends.torch import TorchBackend
from mmgat.model.card import Card
from mmgat.model.checkpoint import save_checkpoint
from mmgat.model.embedders.convnet import ConvNetEmbedder
from mmgat.model.embedders.registry import embedder_spec
from mmgat.model.graph.similarity import similarity_named
from mmgat.model.labels import LABELS
from mmgat.model.mmgat import MMGAT, MMGATConfig
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings

Samples = npt.NDArray[np.float32]

for number, action in (
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGINT, signal.default_int_handler),
):
    if signal.getsignal(number) is signal.SIG_IGN:  # a run in the background ignores them
        signal.signal(number, action)

torch.set_num_threads(1)  # small networks only; waiting threads would slow a busy machine down


def untrained_card(**changes: object) -> Card:
    values: dict[str, object] = {
        "name": "untrained",
        "version": "0",
        "embedder": "convnet",
        "variant": "convnet-2",
        "mmgat": {},
        "thresholds": dict.fromkeys(LABELS, 0.12),
    }
    return Card(**(values | changes))  # type: ignore[arg-type]


def untrained_mmgat(seed: int = 0, **config: object) -> MMGAT:
    torch.manual_seed(seed)
    settings = MMGATConfig(text_size=24, **config)  # type: ignore[arg-type]
    return MMGAT(settings, torch.randn(len(LABELS), 24)).eval()


def untrained_model(device: str = "cpu") -> LoadedModel:
    """Always with the same weights."""
    mmgat = untrained_mmgat()  # seeds the embedder too
    backend = TorchBackend(ConvNetEmbedder(), mmgat, torch.device(device))
    return LoadedModel(untrained_card(), embedder_spec("convnet"), backend, "in a test")


def random_graphs(n_streams: int, n_nodes: int, size: int = 128) -> Graphs:
    """Nodes in any order, some of them missing."""
    rng = np.random.default_rng(n_nodes)
    newest = rng.permuted(np.arange(n_nodes) == np.zeros((n_streams, 1)), axis=1)
    nodes = rng.normal(0, 1, (n_streams, n_nodes, size)).astype(np.float32)
    return Graphs(
        nodes,
        (rng.random((n_streams, n_nodes)) < 0.8) | newest,
        rng.permuted(np.tile(np.arange(n_nodes), (n_streams, 1)), axis=1),
        newest,
        similarities_of(nodes),
    )


def similarities_of(nodes: Samples, metric: str = "cosine") -> Samples:
    """Float32 [..., N, N], all of them anew, of the first 128 entries of nodes [..., N, D]."""
    compared = torch.from_numpy(nodes)[..., :128]
    return similarity_named(metric)(compared, compared).numpy()


def log_mel_of(n_streams: int, window: tuple[int, int] = (96, 64)) -> npt.NDArray[np.float32]:
    """float32 [n_streams, frames, bands], random."""
    return np.random.default_rng(0).normal(-2, 1, (n_streams, *window)).astype(np.float32)


@pytest.fixture
def make_recognizer() -> Callable[[StreamSettings], Recognizer]:
    """Untrained recognisers, all with the same weights."""

    def make(settings: StreamSettings) -> Recognizer:
        return Recognizer(untrained_model(), settings)

    return make


@pytest.fixture
def untrained_checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "untrained.safetensors"
    mmgat = untrained_mmgat()
    save_checkpoint(path, untrained_card(), mmgat, ConvNetEmbedder().state_dict())
    return path


def melody(seconds: float, rate_hz: int, channels: int = 1, seed: int = 0) -> Samples:
    """Decaying tones of random pitch over faint noise, float32 [frames, channels]."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate_hz)
    t = np.arange(n) / rate_hz
    sound = rng.normal(0, 0.003, (n, channels))
    for onset in np.arange(0, seconds, 0.31):
        pitch_hz = 220 * 2 ** (rng.integers(0, 24) / 12)
        age = np.clip(t - onset, 0, None)
        tone = 0.3 * np.sin(2 * np.pi * pitch_hz * age) * np.exp(-4 * age)
        sound += (tone * (t >= onset))[:, None]
    sound[0] = 0.1  # heard from the first sample on
    return sound.astype(np.float32)


@pytest.fixture
def wav(tmp_path: Path) -> Callable[..., Path]:
    """Writes samples to a 32-bit float WAV file."""

    def write(samples: Samples, rate_hz: int, name: str = "clip.wav") -> Path:
        path = tmp_path / name
        soundfile.write(path, samples, rate_hz, subtype="FLOAT")
        return path

    return write
