"""Runs mypy on the three packages under the names they are installed by.

    python -m tools.typecheck [mypy's own arguments]

mypy does not know setuptools' ``package-dir``, so it is shown a folder of the installed layout.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tools.namespace import ROOT, installed_layout


def main() -> int:
    """mypy's exit code."""
    with installed_layout() as folder:
        environment = os.environ | {"MYPYPATH": str(folder)}
        command = [sys.executable, "-m", "mypy", *sys.argv[1:]]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
