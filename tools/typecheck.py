"""Runs mypy on the three packages under the names they are installed by.

    python -m tools.typecheck [mypy's own arguments]

The folders ``model``, ``stream`` and ``training`` are installed as ``mmgat.model`` and so on, which
setuptools maps and mypy does not; so mypy is shown a temporary folder of that shape.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    """mypy's exit code."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "mmgat"
        package.mkdir()
        for name in ("model", "stream", "training"):
            (package / name).symlink_to(ROOT / name, target_is_directory=True)
        environment = os.environ | {"MYPYPATH": folder}
        command = [sys.executable, "-m", "mypy", *sys.argv[1:]]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
