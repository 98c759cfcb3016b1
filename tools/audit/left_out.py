"""Ranks of the right label on one source's recordings: what another room and player cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from mmgat.stream.archive.annotator import annotate_file
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings
from mmgat.training.synthesis.sample_bank import source_of
from tools.audit.recordings import is_solo
from tools.audit.sound import manifest

MOST_OF_A_LABEL: Final = 40


def ranks_on(recognizer: Recognizer, audio: Path, name: str) -> dict[str, Any]:
    """Up to 40 recordings of every label of which another source has recordings for training.

    A model that was trained without the source hears it as a stranger's.

    Raises:
        ValueError: there are no such recordings.
    """
    solo = [row for row in manifest(audio) if is_solo(row)]
    elsewhere = {
        row["labels"] for row in solo if row["split"] == "train" and source_of(row) != name
    }
    of_label: dict[str, list[str]] = {}
    for row in solo:
        if source_of(row) == name and row["labels"] in elsewhere:
            of_label.setdefault(row["labels"], []).append(row["path"])
    if not of_label:
        raise ValueError(
            f"expected recordings of {name} in {audio} whose labels other sources have too, found none"
        )
    ranks: dict[str, list[int]] = {}
    for label, paths in sorted(of_label.items()):
        for path in paths[:: -(-len(paths) // MOST_OF_A_LABEL)]:
            scores = annotate_file(audio / path, recognizer, StreamSettings()).scores
            ranks.setdefault(label, []).append(sum(s >= scores[label] for s in scores.values()))
    everything = [rank for found in ranks.values() for rank in found]
    return {
        "source": name,
        "recordings": len(everything),
        "top1": _share_first(everything),
        "lrap": round(float(np.mean([1 / rank for rank in everything])), 3),
        "top1 by label": {label: _share_first(found) for label, found in ranks.items()},
    }


def _share_first(ranks: list[int]) -> float:
    return round(float(np.mean([rank == 1 for rank in ranks])), 3)
