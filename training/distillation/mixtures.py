"""Embeddings of synthetic mixtures, learned and time-frequency ones of the same clips.

The ablation without a learned embedding compares them, see ``mmgat.training.data.mixtures``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soxr
import torch
from tqdm import tqdm

from mmgat.model.embedders.log_mel import SAMPLE_RATE_HZ, examples
from mmgat.training.data.bags import bag_targets
from mmgat.training.distillation.embeddings import load_embedder
from mmgat.training.features.time_frequency import time_frequency_embeddings
from mmgat.training.synthesis.arrangement import CLIP_S
from mmgat.training.synthesis.mixtures import ClipMaker
from mmgat.training.synthesis.packages import RATE_HZ

SPLITS: Final = ("train", "validation")


def make_mixtures(data: Path, cache: Path, out: Path, n_train: int, n_validation: int) -> None:
    """Writes the four files into ``out``/mixtures.

    Time-frequency embeddings are standardised by mean and deviation over the training clips.

    Args:
        data: the local data folder, for its recordings.
        cache: of ``mmgat-train compact``, for stems and the embedder.
        out: a data folder.
        n_train, n_validation: number of clips.

    Raises:
        TrainingDataError: recordings, stems or the embedder are missing.
    """
    folder = out / "mixtures"
    folder.mkdir(parents=True, exist_ok=True)
    embedder = load_embedder(cache / "distil" / "embedder.safetensors")
    mean, deviation = None, None
    for split, n_clips in zip(SPLITS, (n_train, n_validation), strict=True):
        audio, targets = _clips(ClipMaker(data / "audio", cache, split), n_clips)
        compact = _embedded(audio, embedder)
        np.savez(folder / f"compact-{split}.npz", embeddings=compact, **targets)
        spectral = np.stack(
            [
                time_frequency_embeddings(clip, SAMPLE_RATE_HZ)
                for clip in tqdm(audio, f"spectra ({split})")
            ]
        )
        if mean is None or deviation is None:
            mean, deviation = spectral.mean((0, 1)), spectral.std((0, 1)) + 1e-6
        spectral = ((spectral - mean) / deviation).clip(-5, 5)
        np.savez(folder / f"time-frequency-{split}.npz", embeddings=spectral, **targets)


def _clips(maker: ClipMaker, n_clips: int) -> tuple[list[npt.NDArray[np.float32]], dict[str, Any]]:
    """Clips of known content at 16 kHz, and their targets."""
    audio: list[npt.NDArray[np.float32]] = []
    labels, known = [], []
    index = 0
    with tqdm(total=n_clips, desc=f"mixtures ({maker.split})") as progress:
        while len(audio) < n_clips:
            clip = maker.clip(index)
            index += 1
            if clip.kind == "music":
                continue  # it has no labels
            sound = soxr.resample(clip.audio, RATE_HZ, SAMPLE_RATE_HZ, "HQ")
            missing = max(0, CLIP_S * SAMPLE_RATE_HZ - len(sound))
            audio.append(np.pad(sound, (0, missing))[: CLIP_S * SAMPLE_RATE_HZ])
            labels.append(clip.labels)
            known.append(clip.known)
            progress.update()
    instance, instance_weight = np.stack(labels), np.stack(known)
    bag, bag_weight = bag_targets(instance, instance_weight)
    return audio, {
        "instance": instance.astype(np.float32),
        "instance_weight": instance_weight.astype(np.float32),
        "bag": bag,
        "bag_weight": bag_weight,
    }


@torch.inference_mode()
def _embedded(
    audio: list[npt.NDArray[np.float32]], embedder: torch.nn.Module
) -> npt.NDArray[np.float32]:
    """Embeddings [n, 10, 128] of clips."""
    embeddings = [
        embedder(torch.from_numpy(examples(clip.reshape(CLIP_S, SAMPLE_RATE_HZ))))
        for clip in tqdm(audio, "embed", leave=False)
    ]
    found: npt.NDArray[np.float32] = torch.stack(embeddings).numpy()
    return found
