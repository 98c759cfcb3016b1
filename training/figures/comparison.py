"""Pictures of the comparison: average precision by label, features side by side, two transforms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from mmgat.model.embedders.slaney_mel import slaney_log_mel
from mmgat.model.labels import INDEX, LABELS
from mmgat.model.mmgat import MMGAT
from mmgat.training.comparators.windows import WindowModel
from mmgat.training.data.bags import Bags
from mmgat.training.data.yard_store import Yard
from mmgat.training.features.wavelet import scalogram
from mmgat.training.figures.feature_map import (
    LabelledFeatures,
    feature_map,
    labelled_features,
    one_label_clips,
)
from mmgat.training.figures.per_label import per_label_heatmap
from mmgat.training.fitting.run_folder import load_run

PERPLEXITIES = (5, 15, 30)


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
        figure.savefig(out / f"{name}.png", dpi=60 if name.endswith("transforms") else 90)
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
    """STFT log-mel and Morlet scalogram of one solo second and more of each instrument."""
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
    n_columns = 5
    n_rows = -(-len(clips) // n_columns)
    figure = Figure(figsize=(13, 2.9 * n_rows), layout="constrained")
    axes = figure.subplots(2 * n_rows, n_columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for index, (label, audio) in enumerate(clips.items()):
        loudest = int(np.argmax((audio.reshape(10, -1) ** 2).mean(axis=1)))
        first = min(loudest, 7) * 16_000
        cut = np.ascontiguousarray(audio[first : first + 48_000])
        row, column = 2 * (index // n_columns), index % n_columns
        for axis, picture, name in (
            (axes[row, column], slaney_log_mel(np.ascontiguousarray(cut)).T, "log-mel"),
            (axes[row + 1, column], scalogram(cut).T, "CWT"),
        ):
            low = float(np.percentile(picture, 20))
            axis.imshow(picture, origin="lower", aspect="auto", cmap="magma", vmin=low)
            axis.set_title(f"{label.replace('_', ' ')}, {name}", fontsize=8)
    return figure
