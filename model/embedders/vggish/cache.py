"""VGGish's graph with 8-bit layers, converted once into the user's cache. Needs no torch afterwards."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

from tqdm import tqdm

from mmgat.model.card import sha256_of

PUBLISHED: Final = "10086976-970ea276"
"""Hashes in the names of the published files."""

CONVERSION: Final = 1
"""Version of ``write_graph``; another one is another file."""

N_LAYERS: Final = 9


def cache_folder() -> Path:
    """Where converted graphs are kept, ``mmgat-stream`` in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return cache / "mmgat-stream"


def converted(variant: str, weights: Path | None = None) -> Path:
    """The graph of a variant, ``log_mel`` float32 [B, 96, 64] -> ``rows`` float32 [B, 128].

    The first call converts the published weights, which takes some seconds and torch and onnx; a
    file that is damaged is converted again.

    Args:
        variant: of the rows.
        weights: the published files, where torch.hub's cache has them not.

    Raises:
        WeightsError: the published weights are not to be had.
        ModuleNotFoundError: it is not converted yet, and torch or onnx is missing.
        OSError: the cache cannot be written.
    """
    name = f"vggish-{variant}-{_key(weights)}-v{CONVERSION}.onnx".replace("+", "-")
    path = cache_folder() / name
    if not _is_whole(path):
        _convert(variant, weights, path)
    return path


def _key(weights: Path | None) -> str:
    """Tells a user's own files apart by place, size and time, without reading them."""
    if weights is None:
        return PUBLISHED
    files = sorted(weights.glob("vggish*.pth")) if weights.is_dir() else [weights]
    told = [str(weights.resolve())]
    for file in files:
        with contextlib.suppress(OSError):
            stat = file.stat()
            told.append(f"{file.name} {stat.st_size} {stat.st_mtime_ns}")
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _hash_file(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _is_whole(path: Path) -> bool:
    try:
        return _hash_file(path).read_text("ascii").strip() == sha256_of(path)
    except (OSError, ValueError):
        return False


def _convert(variant: str, weights: Path | None, path: Path) -> None:
    from mmgat.model.embedders.vggish.network import load_vggish
    from mmgat.model.embedders.vggish.onnx_graph import write_graph

    embedder = load_vggish(variant, weights)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(suffix=".part", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        with tqdm(
            total=N_LAYERS, unit="layer", desc="converting VGGish to 8 bits, once", disable=None
        ) as bar:
            write_graph(embedder, part, bar.update)
        digest = sha256_of(part)
        part.replace(path)
        _hash_file(path).write_text(digest + "\n", "ascii")
    finally:
        part.unlink(missing_ok=True)
