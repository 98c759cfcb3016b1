"""The paper's set, 4.1: IRMAS clips appended to OpenMIC clips of one label; test sets united."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from mmgat.model.labels import INDEX
from mmgat.training.data.bags import Bags, weakly_labelled
from mmgat.training.data.dataset import Dataset, Source
from mmgat.training.data.published.irmas import (
    COVERED,
    IRMAS_ARCHIVES,
    IrmasClip,
    embed_clips,
    evaluation_clips,
    hold_out,
    training_clips,
)
from mmgat.training.data.published.openmic import OpenMIC


def append_by_class(openmic: Bags, irmas: Bags, generator: torch.Generator) -> Bags:
    """Appends an IRMAS clip of label A to every OpenMIC clip with a positive label A of IRMAS.

    A is drawn among the clip's positives, and the IRMAS clip without replacement until none of A
    is left. Labels stay those of the OpenMIC clip; clips without such a label stay as they are.
    Each call draws new clips. (The rule is the paper's; what is drawn how is ours.)

    Args:
        openmic, irmas: training clips, with embeddings of one space.
    """
    columns = [INDEX[label] for label in COVERED]
    piles = {column: _Pile(irmas.bag[:, column].nonzero().flatten()) for column in columns}
    embeddings = []
    for index in range(len(openmic)):
        own = openmic.embeddings[index, : openmic.lengths[index]]
        positive = [
            column
            for column in columns
            if openmic.bag[index, column] > 0 and openmic.bag_weight[index, column] > 0
            and len(piles[column].members)
        ]  # fmt: skip
        if positive:
            label = positive[int(torch.randint(len(positive), (), generator=generator))]
            drawn = piles[label].draw(generator)
            own = torch.cat([own, irmas.embeddings[drawn, : irmas.lengths[drawn]]])
        embeddings.append(own)
    return weakly_labelled(embeddings, openmic.bag, openmic.bag_weight)


class OpenMICIrmas(Dataset):
    """The data of ``openmic``, with ``DATA/irmas`` beside it.

    VGGish's weights come from torch.hub's cache.
    """

    name = "openmic+irmas"
    sources = (*OpenMIC.sources, Source("IRMAS, training clips", "CC BY-NC-SA 3.0"))
    archives = (*OpenMIC.archives, *IRMAS_ARCHIVES)
    variant = OpenMIC.variant
    evaluated_on = "clips of the test sets of OpenMIC-2018 and IRMAS"
    notes = ("Trained on a few known labels a clip, of 10 to 13 s.",)

    def training(self, data: Path, embeddings: str) -> Bags:
        """Reads OpenMIC's training split; ``extend`` appends IRMAS."""
        return OpenMIC().training(data, embeddings)

    def extend(self, train: Bags, data: Path, held_out: float, generator: torch.Generator) -> Bags:
        """Appends IRMAS's training clips to bags with the same label."""
        clips, _ = hold_out(training_clips(data / "irmas"), held_out, seed=0)
        return append_by_class(train, _irmas_bags(clips, data, "train"), generator)

    def evaluation(self, data: Path, embeddings: str) -> Bags:
        """Reads the test splits of both."""
        irmas = _irmas_bags(evaluation_clips(data / "irmas"), data, "test")
        return OpenMIC().evaluation(data, embeddings).join(irmas)


def _irmas_bags(clips: list[IrmasClip], data: Path, split: str) -> Bags:
    """IRMAS's clips in the embedding space of OpenMIC."""
    from mmgat.model.embedders.vggish.network import load_vggish

    cache = data / "irmas" / f"embeddings-{split}.npz"
    return embed_clips(clips, load_vggish(OpenMIC.variant), cache)


class _Pile:
    """Draws its members in random order, and starts again when all are drawn."""

    def __init__(self, members: Tensor) -> None:
        self.members = members
        self._left: list[int] = []

    def draw(self, generator: torch.Generator) -> int:
        if not self._left:
            order = torch.randperm(len(self.members), generator=generator)
            self._left = self.members[order].tolist()
        return self._left.pop()
