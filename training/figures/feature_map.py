"""t-SNE of MMGAT's pooled states before the classifier, with and without center losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score

from mmgat.model.labels import LABELS
from mmgat.model.mmgat import MMGAT
from mmgat.training.data.bags import RowSet
from mmgat.training.figures.colours import label_colour

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class LabelledFeatures:
    """Features float32 [n, D] of clips with one label each, int64 [n]."""

    features: Array
    labels: Array

    @property
    def silhouette(self) -> float:
        """How apart the labels lie in the features themselves, from -1 to 1."""
        return float(silhouette_score(self.features, self.labels))


def one_label_clips(rows: RowSet, each: int, seed: int = 0) -> RowSet:
    """Up to ``each`` random clips a label, of the clips that have exactly one."""
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    alone = order[rows.bag[order].sum(1) == 1]
    label = rows.bag[alone].argmax(1)
    return rows.select(torch.cat([alone[label == index][:each] for index in range(len(LABELS))]))


@torch.inference_mode()
def labelled_features(network: MMGAT, rows: RowSet) -> LabelledFeatures:
    """The feature of the label that the network itself scores highest, so that truth adds nothing."""
    output = network.read(rows.rows, rows.mask())
    clips = torch.arange(len(rows))
    features = output.features[clips, output.bag_scores.argmax(1)]
    return LabelledFeatures(features.numpy(), rows.bag.argmax(1).numpy())


def feature_map(
    sets: dict[str, LabelledFeatures], perplexities: tuple[int, ...] = (10, 30, 60), seed: int = 0
) -> Figure:
    """A row of maps for every named set of features, a column for every perplexity."""
    figure = Figure(figsize=(3.6 * len(perplexities), 3.6 * len(sets) + 1.1), layout="constrained")
    axes = figure.subplots(len(sets), len(perplexities), squeeze=False)
    for row, (name, of) in zip(axes, sets.items(), strict=True):
        for axis, wanted in zip(row, perplexities, strict=True):
            perplexity = min(wanted, len(of.labels) - 1)
            places = TSNE(perplexity=perplexity, random_state=seed, init="pca").fit_transform(
                of.features
            )
            colours = [to_rgba(label_colour(label)) for label in of.labels]
            axis.scatter(*places.T, s=6, c=colours, linewidths=0)
            axis.set(xticks=[], yticks=[], title=f"perplexity {perplexity}")
        row[0].set_ylabel(f"{name}\nsilhouette {of.silhouette:.3f}")
    present = np.unique(np.concatenate([of.labels for of in sets.values()]))
    for label in present:
        axes[0, 0].scatter([], [], s=24, color=label_colour(label), label=LABELS[label])
    figure.legend(loc="outside lower center", ncols=7, frameon=False, fontsize=8)
    return figure
