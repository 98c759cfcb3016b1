"""The compact model: material, mixtures, teachers, distillation, rows, checkpoint."""

from pathlib import Path
from typing import Final

KINDS: Final = ("music", "sequenced", "rendered", "sounds", "silence")
"""Of the clips that are made."""


def workspace(cache: Path, without: str | None) -> Path:
    """Where embedder and rows lie: in the cache, or in a folder of the run without a source."""
    return cache / f"without-{without}" if without else cache
