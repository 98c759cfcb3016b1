"""Folders of the distillation: clips, embedder, embeddings and checkpoint of one run."""

from pathlib import Path


def workspace(cache: Path, without: str | None) -> Path:
    """Returns the folder of embedder and embeddings; a run without a source has its own."""
    return cache / f"without-{without}" if without else cache
