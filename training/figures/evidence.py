"""Evidence of every second, below the log-mel spectrogram that it comes from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
import torch
from matplotlib.figure import Figure
from torch import Tensor

from mmgat.model.backends.loading import load_model
from mmgat.model.checkpoint import load_checkpoint
from mmgat.model.embedders.log_mel import SAMPLE_RATE_HZ, log_mel
from mmgat.model.labels import LABELS
from mmgat.model.mmgat import MMGATOutput
from mmgat.training.data.file_embeddings import embed_file
from mmgat.training.errors import TrainingDataError

LONGEST_S = 60
NODES = 10
SHOWN = 6
"""Labels with the highest bag scores."""


def read_mono(path: Path) -> npt.NDArray[np.float32]:
    """Reads a sound file as mono samples, float32 [T] at 16 kHz.

    Raises:
        TrainingDataError: the file is no sound file, or is shorter than a second.
    """
    try:
        audio, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise TrainingDataError(f"expected a sound file at {path}, found {error}") from None
    mono = soxr.resample(audio.mean(axis=1), rate_hz, SAMPLE_RATE_HZ, "HQ")
    if len(mono) < SAMPLE_RATE_HZ:
        raise TrainingDataError(
            f"expected at least one second of sound in {path}, found {len(mono) / SAMPLE_RATE_HZ:.2f} s"
        )
    return np.ascontiguousarray(mono, np.float32)


@torch.inference_mode()
def evidence_of(path: Path, model: str) -> tuple[Tensor, Tensor]:
    """Bag scores [L] of a file, and the evidence [N, L] of each of its seconds, at most 60.

    Both are of graphs of ten seconds, one after another, as ``mmgat-tag`` has them for a file's scores.

    Raises:
        ModelError: the model cannot be loaded.
    """
    embeddings = torch.from_numpy(embed_file(path, load_model(model))[:LONGEST_S])
    mmgat = load_checkpoint(model).mmgat
    parts = [embeddings[i : i + NODES] for i in range(0, len(embeddings), NODES)]
    outputs: list[MMGATOutput] = [mmgat(part.unsqueeze(0)) for part in parts]
    evidence = torch.cat([output.evidence[0] for output in outputs])
    return torch.cat([output.bag_scores for output in outputs]).mean(dim=0), evidence


def evidence_beside_log_mel(path: Path, model: str) -> Figure:
    """Draws the log-mel of a file, at most 60 seconds, and the evidence of each second.

    Raises:
        TrainingDataError: the file is no sound file or is too short.
        ModelError: the model cannot be loaded.
    """
    audio = read_mono(path)
    n_seconds = min(len(audio) // SAMPLE_RATE_HZ, LONGEST_S)
    bag_scores, evidence = evidence_of(path, model)
    best = bag_scores.topk(SHOWN).indices

    figure = Figure(figsize=(10, 5.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    spectrum = log_mel(audio[: n_seconds * SAMPLE_RATE_HZ]).T
    above.imshow(
        spectrum, origin="lower", aspect="auto", extent=(0, n_seconds, 0, 64), cmap="magma"
    )
    above.set(ylabel="mel band", title=path.name)
    image = below.imshow(
        evidence[:, best].T,
        aspect="auto",
        extent=(0, len(evidence), SHOWN, 0),
        cmap="viridis",
    )
    names = [f"{LABELS[index].replace('_', ' ')} {bag_scores[index]:.2f}" for index in best]
    below.set_yticks(np.arange(SHOWN) + 0.5, names)
    below.set(xlabel="seconds")
    figure.colorbar(image, ax=below, label="evidence")
    return figure
