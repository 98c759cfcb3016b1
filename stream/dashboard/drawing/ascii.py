"""Text for terminals without Unicode: every glyph of the dashboard as an ASCII character."""

from __future__ import annotations

from typing import Final

_GLYPHS: Final = {
    "●": "*", "‖": "=", "○": "o", "◌": "o", "▲": "!", "⚑": "^", "▸": ">", "✓": "+", "×": "x", "…": "~",
    "·": ".", "—": "-", "–": "-", "−": "-", "─": "-", "━": "=", "│": "|", "┃": "#", "┆": ":",
    "╸": ")", "╲": "\\", "■": "#", "▮": "I", "╱": "/", "█": "#", "▓": "%", "▒": "+", "░": ".", "▀": '"',
    "▄": ",", "▁": "_", "▂": "_", "▃": ".", "▅": "=", "▆": "=", "▇": "#", "←": "<", "→": ">", "↑": "^",
    "↓": "v", "║": "|", "┬": "+", "┼": "+", "┊": ":",
}  # fmt: skip
_TABLE: Final = str.maketrans(_GLYPHS)


def to_ascii(text: str) -> str:
    """The text with as many characters, all of them ASCII."""
    return "".join(c if c.isascii() else "?" for c in text.translate(_TABLE))
