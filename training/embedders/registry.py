"""The embedders of others by name: a sound of a second or two in, numbers out.

A new one is a module of this package and an entry here; it then is a kind of features of the yard,
and a name for ``mmgat-train embed --embedder``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import soxr
import torch

from mmgat.training.embedders.beats import BEATS, load_beats
from mmgat.training.embedders.convnet import (
    CONVNET,
    CONVNET_RATE_HZ,
    CONVNET_SAMPLES,
    CONVNET_SIZE,
    load_convnet,
)
from mmgat.training.embedders.mn04 import MN04, MN04_FEATURES, Mn04
from mmgat.training.embedders.passt import PASST, load_passt
from mmgat.training.embedders.weights import Published, find_weights
from mmgat.training.embedders.yamnet import (
    YAMNET,
    YAMNET_FEATURES,
    YAMNET_RATE_HZ,
    YAMNET_SAMPLES,
    YamnetEmbedder,
)
from mmgat.training.errors import TrainingDataError

Samples = npt.NDArray[np.float32]
Embed = Callable[[Samples], Samples]
"""Windows float32 [n, T] -> embeddings float32 [n, D]."""


WINDOWS_A_BATCH: Final = 10
"""So many seconds are embedded at once."""


@dataclass(frozen=True)
class WaveformEmbedder:
    """One embedder.

    Attributes:
        name: in a recipe's ``embeddings``.
        size: entries D of an embedding.
        rate_hz: of the sound that it hears.
        window_samples: T, that it hears at once.
        published: its weights.
        load: a user's file, or None -> the function that embeds.
        has_logits: its last 20 numbers are the labels' logits, which MMGAT may add to, so they are kept
            as they are.
    """

    name: str
    size: int
    rate_hz: int
    window_samples: int
    published: Published
    load: Callable[[Path | None], Embed]
    has_logits: bool = False

    def seconds(self, audio: Samples, rate_hz: int, embed: Embed) -> Samples:
        """Embeds every whole second of a mono sound, or a shorter one as a second: float32 [n, D].

        The window of a second ends with it, or begins with it if the window is shorter.

        Args:
            audio: float32 [T].
            rate_hz: of the audio.
            embed: what ``load`` returned.
        """
        sound = np.asarray(soxr.resample(audio, rate_hz, self.rate_hz, "HQ"), np.float32)
        n_seconds = max(1, len(sound) // self.rate_hz)
        lead = max(0, self.window_samples - self.rate_hz)
        padded = np.zeros(lead + n_seconds * self.rate_hz, np.float32)
        kept = sound[: n_seconds * self.rate_hz]
        padded[lead : lead + len(kept)] = kept
        starts = self.rate_hz * np.arange(n_seconds)
        windows = [padded[start : start + self.window_samples] for start in starts]
        batches = range(0, n_seconds, WINDOWS_A_BATCH)
        return np.concatenate(
            [embed(np.stack(windows[first : first + WINDOWS_A_BATCH])) for first in batches]
        )


def _in_torch(network: torch.nn.Module) -> Embed:
    @torch.inference_mode()
    def embed(windows: Samples) -> Samples:
        return np.asarray(network(torch.from_numpy(windows)).numpy(), np.float32)

    return embed


def _mn04(weights: Path | None) -> Embed:
    network = Mn04(find_weights(MN04, weights))
    return lambda windows: network(windows)[1]


_ALL: Final = (
    WaveformEmbedder(
        "passt", 768, 32_000, 64_000, PASST, lambda weights: _in_torch(load_passt(weights))
    ),
    WaveformEmbedder(
        "beats", 768, 16_000, 32_000, BEATS, lambda weights: _in_torch(load_beats(weights))
    ),
    WaveformEmbedder(
        "yamnet", YAMNET_FEATURES, YAMNET_RATE_HZ, YAMNET_SAMPLES, YAMNET,
        lambda weights: YamnetEmbedder(find_weights(YAMNET, weights)),
    ),
    WaveformEmbedder("mn04", MN04_FEATURES, 32_000, 64_000, MN04, _mn04),
    WaveformEmbedder(
        "convnet", CONVNET_SIZE, CONVNET_RATE_HZ, CONVNET_SAMPLES, CONVNET,
        lambda weights: load_convnet(find_weights(CONVNET, weights)), has_logits=True,
    ),
)  # fmt: skip

WAVEFORM_EMBEDDERS: Final = {embedder.name: embedder for embedder in _ALL}
"""name -> embedder."""


def waveform_embedder(name: str) -> WaveformEmbedder:
    """Returns the embedder of that name.

    Raises:
        TrainingDataError: there is none; the message lists those there are.
    """
    if name not in WAVEFORM_EMBEDDERS:
        known = ", ".join(WAVEFORM_EMBEDDERS)
        raise TrainingDataError(f"expected an embedder of {known}, found {name!r}")
    return WAVEFORM_EMBEDDERS[name]


@cache
def loaded(name: str, weights: Path | None = None) -> Embed:
    """Loads an embedder, once for each file.

    Raises:
        TrainingDataError: its weights are not to be had, or it gives rows of another size.
    """
    embedder = waveform_embedder(name)
    embed = embedder.load(weights)
    found = embed(np.zeros((1, embedder.window_samples), np.float32)).shape[1]
    if found != embedder.size:
        raise TrainingDataError(
            f"expected weights of {name} that give {embedder.size} numbers, found {found}"
        )
    return embed
