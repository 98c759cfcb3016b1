"""The themes, read from ``themes.toml``, and which of them suits a terminal."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

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
