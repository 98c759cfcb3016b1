"""Synthetic mixtures with exact labels, as embeddings of two kinds of the same clips.

``mmgat-train mixtures`` makes them. The ablation without a learned embedding compares the kinds:

    DATA/mixtures/compact-{train,validation}.npz
    DATA/mixtures/time-frequency-{train,validation}.npz
"""

from __future__ import annotations

from pathlib import Path

from mmgat.training.data.bags import Bags, load_bags
from mmgat.training.data.dataset import Dataset, Source


class Mixtures(Dataset):
    """``DATA/mixtures``; validation clips have recordings, stems and a soundfont of their own."""

    name = "mixtures"
    sources = (Source("recorded notes and rendered stems, mixed", "see the data"),)

    def training(self, data: Path, embeddings: str) -> Bags:
        """Reads the clips for training, as embeddings of that kind."""
        return load_bags(data / "mixtures" / f"{embeddings}-train.npz")

    def evaluation(self, data: Path, embeddings: str) -> Bags:
        """Reads the validation clips, as embeddings of that kind."""
        return load_bags(data / "mixtures" / f"{embeddings}-validation.npz")
