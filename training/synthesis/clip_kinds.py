"""The kinds of training clips; nothing is imported, so that a command line can name them."""

from __future__ import annotations

from typing import Final

KINDS: Final = ("music", "sequenced", "rendered", "sounds", "silence")
"""Kinds of clips."""
