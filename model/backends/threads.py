"""How many threads the libraries may use. Commands call this; a library call never does."""

from __future__ import annotations

import os
import sys
from typing import Final

from threadpoolctl import ThreadpoolController

from mmgat.model.embedders.base import EmbedderSpec

MOST_THREADS: Final = 4


def most_threads() -> int:
    """Threads for a large embedder, no more than there are processors."""
    return min(MOST_THREADS, os.cpu_count() or 1)


def limit_threads(embedder: EmbedderSpec) -> None:
    """Sets numpy's and torch's threads for the live recognition of one machine.

    The front end's products are small: shared among numpy's threads they take twice as long. So do
    small networks in torch; a large embedder that no checkpoint carries, such as VGGish, gains.

    Args:
        embedder: what computes.
    """
    ThreadpoolController().select(internal_api="openblas").limit(limits=1)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1 if embedder.carried else most_threads())
