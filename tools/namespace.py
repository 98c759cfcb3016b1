"""The three packages under the names they are installed by, for tools that read source files.

The folders ``model``, ``stream`` and ``training`` are installed as ``mmgat.model`` and so on, which
setuptools maps and mypy and mkdocstrings do not.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("model", "stream", "training")


@contextlib.contextmanager
def installed_layout() -> Iterator[Path]:
    """A temporary folder that holds ``mmgat/model`` and so on as links to the source folders."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "mmgat"
        package.mkdir()
        for name in PACKAGES:
            (package / name).symlink_to(ROOT / name, target_is_directory=True)
        yield Path(folder)
