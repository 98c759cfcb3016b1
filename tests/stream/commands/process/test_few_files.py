"""Where a process may open few files, a command says so."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from mmgat.stream.commands.entry import COMMANDS

N_FILES = 12


@pytest.mark.parametrize("name", ["mmgat-stream", "mmgat-listen"])
def test_a_command_that_may_open_few_files_says_how_many_it_needs(name: str) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (N_FILES, N_FILES))

    done = subprocess.run(
        [sys.executable, "-m", COMMANDS[name]],
        preexec_fn=limit, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"{name}: expected 24 files that may still be opened, found ")
    assert done.stderr.endswith("raise the limit (ulimit -n)\n")
