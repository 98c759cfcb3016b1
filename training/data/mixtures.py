"""Recorded notes and rendered stems mixed with exact labels, as rows of two kinds.

The same clips once as rows of the compact embedder and once as time-frequency rows, so that the
ablation without a learned embedding compares the two on equal sound.

    DATA/mixtures/compact-{train,validation}.npz
    DATA/mixtures/time-frequency-{train,validation}.npz
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
from mmgat.training.data.bags import RowSet
from mmgat.training.data.time_frequency import time_frequency_rows
from mmgat.training.distillation.embeddings import load_embedder, read_rows
from mmgat.training.distillation.targets import bags_of
from mmgat.training.synthesis.arrangement import CLIP_S
from mmgat.training.synthesis.mixtures import ClipMaker
from mmgat.training.synthesis.packages import RATE_HZ

SPLITS: Final = ("train", "validation")


def read_mixtures(data: Path, kind: str, split: str) -> RowSet:
    """Bags of a split with rows of a kind, ``compact`` or ``time-frequency``.

    Raises:
        TrainingDataError: they were not made, or are damaged.
    """
    return read_rows(data / "mixtures" / f"{kind}-{split}.npz")


def make_mixtures(data: Path, cache: Path, out: Path, n_train: int, n_validation: int) -> None:
    """Writes the four files into ``out``/mixtures.

    Time-frequency rows are standardised by the mean and deviation of the training rows.

    Args:
        data: the local data folder, for its recorded notes.
        cache: of ``mmgat-train compact``, for stems and the embedder.
        n_train, n_validation: clips; the validation clips have notes, stems and a soundfont of
            their own.

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
        np.savez(folder / f"compact-{split}.npz", rows=compact, **targets)
        spectral = np.stack(
            [
                time_frequency_rows(clip, SAMPLE_RATE_HZ)
                for clip in tqdm(audio, f"spectra ({split})")
            ]
        )
        if mean is None or deviation is None:
            mean, deviation = spectral.mean((0, 1)), spectral.std((0, 1)) + 1e-6
        spectral = ((spectral - mean) / deviation).clip(-5, 5)
        np.savez(folder / f"time-frequency-{split}.npz", rows=spectral, **targets)


def _clips(maker: ClipMaker, n_clips: int) -> tuple[list[npt.NDArray[np.float32]], dict[str, Any]]:
    """16 kHz clips of known content, and their targets."""
    audio: list[npt.NDArray[np.float32]] = []
    labels, known = [], []
    index = 0
    with tqdm(total=n_clips, desc=f"mixtures ({maker.split})") as progress:
        while len(audio) < n_clips:
            clip = maker.clip(index)
            index += 1
            if clip.kind == "music":
                continue  # of which nothing is known
            sound = soxr.resample(clip.audio, RATE_HZ, SAMPLE_RATE_HZ, "HQ")
            missing = max(0, CLIP_S * SAMPLE_RATE_HZ - len(sound))
            audio.append(np.pad(sound, (0, missing))[: CLIP_S * SAMPLE_RATE_HZ])
            labels.append(clip.labels)
            known.append(clip.known)
            progress.update()
    instance, instance_weight = np.stack(labels), np.stack(known)
    bag, bag_weight = bags_of(instance, instance_weight)
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
    rows = [
        embedder(torch.from_numpy(examples(clip.reshape(CLIP_S, SAMPLE_RATE_HZ))))
        for clip in tqdm(audio, "rows", leave=False)
    ]
    found: npt.NDArray[np.float32] = torch.stack(rows).numpy()
    return found
