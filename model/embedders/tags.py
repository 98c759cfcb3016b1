"""What a node of the compact embedder holds besides its embedding. Needs no torch."""

from __future__ import annotations

from typing import Final

from mmgat.model.embedders.base import EMBEDDING_SIZE
from mmgat.model.labels import N_LABELS

TAGS: Final = (
    "Speech", "Music", "Silence", "Noise", "Vehicle", "Animal", "Explosion", "Gunshot, gunfire",
    "Glass", "Engine", "Wind", "Water", "Bell", "Inside, small room", "Sound effect",
    "Video game music", "Clicking", "Laughter", "Siren", "Orchestra",
    "Wind instrument, woodwind instrument", "Brass instrument", "Bowed string instrument",
    "Plucked string instrument", "Keyboard (musical)", "Harpsichord", "Harmonica", "Choir",
    "Electronic music", "Male speech, man speaking", "Female speech, woman speaking",
    "String section", "Pizzicato",
)  # fmt: skip
"""AudioSet's display names of the tags, in the order of a node's last entries."""

N_TAGS: Final = len(TAGS)
NODE_SIZE: Final = EMBEDDING_SIZE + N_LABELS + N_TAGS
"""Entries of a node: the embedding, the labels' prior logits, the tags' logits."""
