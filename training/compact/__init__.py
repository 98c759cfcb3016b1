"""The compact model: material, mixtures, teachers, distillation, rows, checkpoint."""

from typing import Final

KINDS: Final = ("music", "sequenced", "rendered", "sounds", "silence")
"""Of the clips that are made."""
