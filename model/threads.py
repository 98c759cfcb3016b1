"""How numerical libraries share the processor with others, before they are imported (ours).

``backends/threads.py`` sets the same for a process that has imported them already.
"""

from __future__ import annotations

import os

POLITE = {"OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0"}
"""NumPy's products here are small: a second thread gains nothing, and beside other work a window
waits for it and takes ten times as long. torch's threads give the processor back at once."""


def share_processor() -> None:
    """Sets ``POLITE`` where the user has not. Commands call this; a library call never does."""
    for name, value in POLITE.items():
        os.environ.setdefault(name, value)
