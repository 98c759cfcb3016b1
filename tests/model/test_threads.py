"""Numerical libraries share the processor."""

from __future__ import annotations

import os
import subprocess
import sys

from mmgat.model.threads import POLITE

ASK = (
    "import mmgat.stream.commands.entry, sys, os;"
    "assert 'numpy' not in sys.modules;"
    "import threadpoolctl, numpy;"
    "print(*{pool['num_threads'] for pool in threadpoolctl.threadpool_info()})"
)


def threads_of_numpy(**said: str) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in POLITE}
    return subprocess.check_output([sys.executable, "-c", ASK], env=clean | said, text=True).strip()


def test_a_command_multiplies_matrices_with_one_thread_and_waits_for_no_other() -> None:
    assert threads_of_numpy() == "1"


def test_what_a_user_has_set_holds() -> None:
    assert threads_of_numpy(OPENBLAS_NUM_THREADS="2") == "2"
