"""The command palette: everything that a key does, found by its name."""

from __future__ import annotations

from functools import partial
from typing import Final

from textual.command import DiscoveryHit, Hit, Hits, Provider

from mmgat.stream.dashboard.export import FORMATS
from mmgat.stream.dashboard.screens.frame import SCREENS
from mmgat.stream.dashboard.themes import NAMES

COMMANDS: Final = {
    "freeze the picture, or go on": "freeze",
    "mark this moment": "mark",
    "next source": "source(1)",
    "previous source": "source(-1)",
    "save a picture (SVG)": "picture",
    "follow the newest": "back",
    "search the log": "search",
    "filter the log": "filter",
    "the graph alone": "graph",
    "raise the threshold of the instrument": "threshold(0.05)",
    "lower the threshold of the instrument": "threshold(-0.05)",
    "mute the instrument, or unmute it": "mute",
    "next sensitivity": "sensitivity",
    "pause the source, or go on": "pause",
    "listen to another device": "devices",
    "undo the last change of the engine": "undo",
    "help": "help",
    "quit": "quit",
}
"""Name -> action of the application."""


def commands() -> dict[str, str]:
    """All commands, with those of the screens, the themes and the export."""
    found = {f"screen: {name}": f"screen('{name}')" for name in SCREENS}
    found |= COMMANDS
    found |= {f"export: {text}": f"export('{key}')" for key, (text, _, _) in FORMATS.items()}
    return found | {f"theme: {name}": f"set_theme('{name}')" for name in NAMES}


class Commands(Provider):
    """Finds commands for the palette."""

    async def discover(self) -> Hits:
        """All commands."""
        for name, action in commands().items():
            yield DiscoveryHit(name, partial(self.app.run_action, action))

    async def search(self, query: str) -> Hits:
        """The commands that match."""
        matcher = self.matcher(query)
        for name, action in commands().items():
            if (score := matcher.match(name)) > 0:
                run = partial(self.app.run_action, action)
                yield Hit(score, matcher.highlight(name), run)
