"""The yard as a data set: mixtures of recordings and renderings on which all systems are compared.

``mmgat-train yard`` makes it, see ``mmgat.training.yard.make``; its folder is the data folder.
"""

from __future__ import annotations

from pathlib import Path

from mmgat.training.data.bags import Bags
from mmgat.training.data.dataset import Dataset, Source
from mmgat.training.data.yard_store import Yard


class YardClips(Dataset):
    """Clips of the yard; no player, take or soundfont is heard in two of its parts."""

    name = "yard"
    sources = (Source("recorded notes and rendered pieces, mixed", "see the data"),)
    evaluated_on = "mixtures of players and a soundfont that training has not heard"

    def training(self, data: Path, embeddings: str) -> Bags:
        """Reads the clips for training, as features of that kind."""
        return Yard(data).bags("train", embeddings)

    def held_out(self, data: Path, embeddings: str) -> Bags:
        """Reads the held-out clips."""
        return Yard(data).bags("held-out", embeddings)

    def evaluation(self, data: Path, embeddings: str) -> Bags:
        """Reads the clips to evaluate on."""
        return Yard(data).bags("evaluation", embeddings)
