"""t-SNE of MMGAT's pooled states before the classifier, with and without center losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score

from mmgat.model.labels import LABELS
from mmgat.model.mmgat import MMGAT, MMGATOutput
from mmgat.training.data.bags import Bags
from mmgat.training.figures.colours import BY_FAMILY, label_style

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class LabelledFeatures:
    """Features float32 [n, D] of clips with one label each, int64 [n]."""

    features: Array
    labels: Array

    @property
    def silhouette(self) -> float:
        """Silhouette of the labels in the features themselves, from -1 to 1."""
        return float(silhouette_score(self.features, self.labels))


def one_label_clips(bags: Bags, each: int, seed: int = 0) -> Bags:
    """Selects up to ``each`` random clips of every label, among clips with exactly one label."""
    order = torch.randperm(len(bags), generator=torch.Generator().manual_seed(seed))
    alone = order[bags.bag[order].sum(1) == 1]
    label = bags.bag[alone].argmax(1)
    return bags.select(torch.cat([alone[label == index][:each] for index in range(len(LABELS))]))


@torch.inference_mode()
def labelled_features(network: MMGAT, bags: Bags) -> LabelledFeatures:
    """Computes the feature of the label with the highest score; the truth does not choose it."""
    output: MMGATOutput = network(bags.embeddings, bags.mask())
    clips = torch.arange(len(bags))
    features = output.features[clips, output.bag_scores.argmax(1)]
    return LabelledFeatures(features.numpy(), bags.bag.argmax(1).numpy())


def feature_map(
    sets: dict[str, LabelledFeatures], perplexities: tuple[int, ...] = (10, 30, 60), seed: int = 0
) -> Figure:
    """Draws a row of maps for every named set of features, and a column for every perplexity."""
    figure = Figure(figsize=(3.6 * len(perplexities), 3.4 * len(sets) + 1.3), layout="constrained")
    axes = figure.subplots(len(sets), len(perplexities), squeeze=False)
    for index, (name, of) in enumerate(sets.items()):
        row = axes[index]
        for axis, wanted in zip(row, perplexities, strict=True):
            perplexity = min(wanted, len(of.labels) - 1)
            points = TSNE(perplexity=perplexity, random_state=seed, init="pca").fit_transform(
                of.features
            )
            for label in np.unique(of.labels):
                colour, mark = label_style(int(label))
                own = points[of.labels == label]
                axis.scatter(*own.T, s=16, color=colour, marker=mark, linewidths=0, alpha=0.85)
            axis.set(xticks=[], yticks=[])
            if not index:
                axis.set_title(f"perplexity {perplexity}")
        row[0].set_ylabel(f"{name}\nsilhouette {of.silhouette:.3f}")
    present = np.unique(np.concatenate([of.labels for of in sets.values()]))
    for label in (label for label in BY_FAMILY if label in present):
        colour, mark = label_style(label)
        name = LABELS[label].replace("_", " ")
        axes[0, 0].scatter([], [], s=30, color=colour, marker=mark, linewidths=0, label=name)
    figure.legend(loc="outside lower center", ncols=7, frameon=False, fontsize=8)
    return figure
