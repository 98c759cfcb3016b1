"""The themes, read from ``themes.toml``, and which of them suits a terminal."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter, NoColor
from textual.theme import Theme

NAMES: Final = ("dark", "light", "contrast", "sixteen")
"""The themes in the order in which the key goes through them."""


def load_themes() -> list[Theme]:
    """The themes; every colour of the picture is a variable of theirs, ``$role-NAME``."""
    path = Path(__file__).with_name("themes.toml")
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return [_theme(name, tables[name]) for name in NAMES]


def theme_for(color_system: str | None) -> str:
    """The theme for what a terminal can show: "truecolor", "256", "standard" or None."""
    return "dark" if color_system in ("truecolor", "256") else "sixteen"


def _theme(name: str, colors: dict[str, str]) -> Theme:
    roles = {f"role-{role}": value for role, value in colors.items() if role != "dark"}
    return Theme(
        name=name,
        primary=colors["sounding"],
        secondary=colors["quiet"],
        accent=colors["sounding"],
        warning=colors["warning"],
        error=colors["error"],
        success=colors["ok"],
        foreground=colors["text"],
        background=colors["background"],
        surface=colors["background"],
        panel=colors["panel"],
        dark=bool(colors["dark"]),
        variables=roles | {"border": colors["faint"], "border-blurred": colors["faint"]},
    )


@lru_cache(maxsize=len(NAMES))
def no_colors(mark: str) -> NoColors:
    """The filter of a theme; Textual keeps what each one made of a line."""
    return NoColors(mark)


class NoColors(LineFilter):
    """Leaves the terminal its own two colours; what is marked by its background is reversed.

    Args:
        mark: the background of what is marked, such as the chosen line of a list.
    """

    def __init__(self, mark: str) -> None:
        super().__init__()
        self._mark = Color.parse(mark)
        self._plain = NoColor()

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Segments of the same text without colours."""
        marked = [self._is_marked(style) for _, style, _ in segments]
        plain = self._plain.apply(segments, background)
        return [
            Segment(text, style + Style(reverse=True) if reverse and style else style, control)
            for (text, style, control), reverse in zip(plain, marked, strict=True)
        ]

    def _is_marked(self, style: Style | None) -> bool:
        if style is None or style.bgcolor is None or style.bgcolor.triplet is None:
            return False
        # Textual rounds colours on their way through the theme.
        return all(
            abs(a - b) <= 2 for a, b in zip(style.bgcolor.triplet, self._mark.rgb, strict=True)
        )
