"""How numerical libraries share the processor with others (ours).

Commands call these; a library call never does. This module imports none of them.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mmgat.model.embedders.base import EmbedderSpec

POLITE: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0"}
"""NumPy's products here are small: a second thread gains nothing, and beside other work a window
waits for it and takes ten times as long. torch's threads give the processor back at once."""

MOST_THREADS: Final = 4


def share_processor() -> None:
    """Sets ``POLITE`` where the user has not, before the libraries are imported."""
    for name, value in POLITE.items():
        os.environ.setdefault(name, value)


def most_threads() -> int:
    """Threads for a large embedder, no more than there are processors."""
    return min(MOST_THREADS, os.cpu_count() or 1)


def limit_threads(embedder: EmbedderSpec) -> None:
    """Sets numpy's and torch's threads where they are imported already.

    The front end's products are small: shared among numpy's threads they take twice as long. So do
    small networks in torch; a large embedder that no checkpoint carries, such as VGGish, gains.

    Args:
        embedder: what computes.
    """
    from threadpoolctl import ThreadpoolController

    ThreadpoolController().select(internal_api="openblas").limit(limits=1)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1 if embedder.carried else most_threads())
