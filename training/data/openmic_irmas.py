"""The paper's set, 4.1: IRMAS clips appended to OpenMIC clips of one label; test sets united."""

from __future__ import annotations

import torch
from torch import Tensor

from mmgat.model.labels import INDEX
from mmgat.training.data.bags import RowSet, padded
from mmgat.training.data.irmas import COVERED


def append_by_class(openmic: RowSet, irmas: RowSet, generator: torch.Generator) -> RowSet:
    """Every OpenMIC clip with a positive label A that IRMAS has, followed by an IRMAS clip of A.

    A is drawn among the clip's positives, and the IRMAS clip without replacement until none of A
    is left. Labels stay those of the OpenMIC clip; clips without such a label stay as they are.
    Each call draws anew. (The rule is the paper's; what is drawn how is ours.)

    Args:
        openmic, irmas: training clips, rows of one space.
    """
    columns = [INDEX[label] for label in COVERED]
    piles = {column: _Pile(irmas.bag[:, column].nonzero().flatten()) for column in columns}
    rows = []
    for index in range(len(openmic)):
        own = openmic.rows[index, : openmic.lengths[index]]
        positive = [
            column
            for column in columns
            if openmic.bag[index, column] > 0 and openmic.bag_weight[index, column] > 0
            and len(piles[column].members)
        ]  # fmt: skip
        if positive:
            label = positive[int(torch.randint(len(positive), (), generator=generator))]
            drawn = piles[label].draw(generator)
            own = torch.cat([own, irmas.rows[drawn, : irmas.lengths[drawn]]])
        rows.append(own)
    return padded(rows, openmic.bag, openmic.bag_weight)


class _Pile:
    """Draws its members in random order, and again when all are drawn."""

    def __init__(self, members: Tensor) -> None:
        self.members = members
        self._left: list[int] = []

    def draw(self, generator: torch.Generator) -> int:
        if not self._left:
            order = torch.randperm(len(self.members), generator=generator)
            self._left = self.members[order].tolist()
        return self._left.pop()
