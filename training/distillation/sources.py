"""What a training run heard: recordings and music, with their licences, for the card."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from mmgat.training.synthesis.sample_bank import source_of, split_of


def heard(data: Path, cache: Path, without: str | None = None) -> list[dict[str, Any]]:
    """Source, licence and minutes of the training split's recordings and of Debian's music.

    Args:
        data: the folder of ``collect``; its ``audio/manifest.csv`` names the recordings.
        cache: its ``sources.json`` names the music.
        without: a source that was left out.

    Raises:
        OSError, KeyError, ValueError: a manifest is missing or damaged.
    """
    minutes: defaultdict[tuple[str, str], float] = defaultdict(float)
    with (data / "audio" / "manifest.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if split_of(row) == "train" and source_of(row) != without:
                source = f"recordings: {source_of(row)}"
                minutes[source, row["licence"]] += float(row["seconds"]) / 60
    for music in json.loads((cache / "sources.json").read_text()):
        use = "unlabelled music" if music["kind"] == "music" else "speech and everyday sounds"
        minutes[f"{use}: Debian {music['package']}", music["licence"]] += music["minutes"]
    return [
        {"source": source, "licence": licence, "minutes": round(played, 1)}
        for (source, licence), played in sorted(minutes.items())
    ]
