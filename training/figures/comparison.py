"""Pictures of the comparison: average precision by label, features side by side, two transforms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soxr
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmgat.model.embedders.slaney_mel import (
    N_MELS,
    SAMPLE_RATE_HZ,
    hz_to_slaney,
    slaney_log_mel,
    slaney_to_hz,
)
from mmgat.model.labels import INDEX, LABELS
from mmgat.model.mmgat import MMGAT
from mmgat.training.comparators.windows import WindowModel
from mmgat.training.data.bags import Bags
from mmgat.training.data.yard_store import Yard
from mmgat.training.features.registry import RATE_HZ
from mmgat.training.features.wavelet import centres, scalogram
from mmgat.training.figures.feature_map import (
    LabelledFeatures,
    feature_map,
    labelled_features,
    one_label_clips,
)
from mmgat.training.figures.per_label import per_label_heatmap
from mmgat.training.fitting.run_folder import load_run

Array = npt.NDArray[Any]

PERPLEXITIES: Final = (5, 15, 30)

SECONDS: Final = 3
TICKS_HZ: Final = (100, 500, 2000, 7000)
HIGHEST_HZ: Final = 7600.0
"""Of what is drawn; the yard's resampling lets no more pass."""


def draw_comparison(
    rows: Sequence[dict[str, Any]], yard: Path, runs: Path, out: Path
) -> list[Path]:
    """Draws the pictures that the runs allow and returns their files."""
    out.mkdir(parents=True, exist_ok=True)
    figures = {
        "comparison-labels": labels_map(rows),
        "comparison-transforms": transforms(Yard(yard)),
    }
    sets = {}
    for row in rows:
        if row["name"].startswith(("mmgat", "aedcn")) and row["name"].count("-") < 2:
            network = load_run(runs / row["name"] / "seed-0").network
            store = Yard(yard)
            unheard = [store.bags(part, row["features"]) for part in ("held-out", "evaluation")]
            bags = one_label_clips(unheard[0].join(unheard[1]), 40)
            if row["name"] == "mmgat" and isinstance(network, MMGAT):
                sets["MMGAT"] = labelled_features(network, bags)
            elif isinstance(network, WindowModel):
                sets["AEDCN"] = _window_features(network, bags)
    if sets:
        figures["comparison-features"] = feature_map(sets, PERPLEXITIES)
    written = []
    for name, figure in figures.items():
        figure.savefig(out / f"{name}.png", dpi=75 if name.endswith("transforms") else 90)
        written.append(out / f"{name}.png")
    return written


def labels_map(rows: Sequence[dict[str, Any]]) -> Figure:
    """Heat map of the average precision on mixtures, a row a system."""
    return per_label_heatmap({row["name"]: row["evaluation"]["per_label"] for row in rows})


@torch.inference_mode()
def _window_features(network: WindowModel, bags: Bags) -> LabelledFeatures:
    """The mean over the windows of the features before the classifier."""
    mask = bags.mask()
    output: Any = network(bags.embeddings, mask)
    second = output.further["second"]
    features = second.new_zeros(*mask.shape, second.shape[1])
    features[mask] = second
    mean = features.sum(1) / mask.sum(1, keepdim=True)
    return LabelledFeatures(mean.numpy(), bags.bag.argmax(1).numpy())


def transforms(yard: Yard) -> Figure:
    """STFT log-mel and Morlet scalogram of three seconds of each instrument."""
    about = yard.labels("train")
    alone = (about["bag"].sum(axis=1) == 1) & (about["kind"] == "solo")
    clips = {}
    for label in LABELS:
        having = np.flatnonzero(alone & (about["bag"][:, INDEX[label]] > 0))
        if not len(having):
            having = np.flatnonzero(
                (about["bag"].sum(axis=1) == 1) & (about["bag"][:, INDEX[label]] > 0)
            )
        if len(having):
            clips[label] = yard.audio("train", int(having[0])).mean(axis=0)
    n_columns = 4
    n_rows = -(-len(clips) // n_columns)
    figure = Figure(figsize=(12, 3.1 * n_rows), layout="constrained")
    axes = figure.subplots(2 * n_rows, n_columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    mel_hz = slaney_to_hz(np.linspace(0.0, float(hz_to_slaney(SAMPLE_RATE_HZ / 2)), N_MELS + 2))[
        1:-1
    ]
    is_heard = mel_hz <= HIGHEST_HZ
    for index, (label, audio) in enumerate(clips.items()):
        loudest = int(np.argmax((audio.reshape(10, -1) ** 2).mean(axis=1)))
        first = min(loudest, 7) * RATE_HZ
        cut = np.ascontiguousarray(audio[first : first + SECONDS * RATE_HZ])
        at_22050 = soxr.resample(cut, RATE_HZ, SAMPLE_RATE_HZ, "HQ").astype(np.float32)
        row, column = 2 * (index // n_columns), index % n_columns
        _picture(axes[row, column], slaney_log_mel(at_22050).T[is_heard], mel_hz[is_heard])
        _picture(axes[row + 1, column], scalogram(cut).T, centres())
        axes[row, column].set_title(label.replace("_", " "), fontsize=11)
        if column == 0:
            for below, name in enumerate(("log-mel, Hz", "Morlet CWT, Hz")):
                axes[row + below, 0].set_ylabel(name, fontsize=8)
        axes[row, column].tick_params(labelbottom=False)
    return figure


def _picture(axis: Axes, rows: Array, centres_hz: Array) -> None:
    """Draws bands [bands, frames] of three seconds, dark below their 20th percentile."""
    axis.set_axis_on()
    edges = (0, SECONDS, -0.5, len(rows) - 0.5)
    low = float(np.percentile(rows, 20))
    axis.imshow(rows, origin="lower", aspect="auto", cmap="magma", vmin=low, extent=edges)
    axis.set_xticks(range(SECONDS + 1), [*map(str, range(SECONDS)), f"{SECONDS} s"])
    places = np.interp(TICKS_HZ, centres_hz, np.arange(len(centres_hz)))
    axis.set_yticks(places, [f"{hz:,}" for hz in TICKS_HZ])
    axis.tick_params(labelsize=7, length=2)
