"""The help, over the picture: it scrolls, and fits any terminal."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from mmgat.stream.dashboard.drawing.ascii import to_ascii

KEYS: Final[dict[str, dict[str, str]]] = {
    "Screens": {
        "1 now": "what sounds, since when, for how long",
        "2 timeline": "what sounded before, up to an hour",
        "3 evidence": "which seconds speak for an instrument",
        "4 sources": "all inputs at once",
        "5 health": "delay, losses, level, in plain words",
        "6 log": "every event and warning",
    },
    "Everywhere": {
        "q": "quit",
        "tab": "next source; shift+tab the one before",
        "space": "freeze the picture",
        "t": "another theme",
        "m": "mark this moment",
        "x": "export the events",
        "s": "save a picture (SVG)",
        "ctrl+p": "all commands",
        "esc": "back to the newest",
    },
    "Timeline": {
        "left, right": "move",
        "+ -": "zoom",
        "[ ]": "to the previous or next event",
        "end": "follow the sound",
        "up, down": "other instruments, where not all have room",
    },
    "Evidence": {"up, down": "another instrument", "g": "the graph alone"},
    "Sources": {"up, down": "choose", "enter": "show"},
    "Health": {"up, down": "scroll"},
    "Log": {"up, down": "scroll", "f": "filter", "/": "search"},
    "Where the engine takes requests": {
        "up, down": "choose an instrument",
        "< >": "its threshold",
        "n": "mute it",
        "v": "sensitivity",
        "p": "pause the source",
        "d": "another device, with its level before",
        "z": "undo",
    },
    "In a replay": {"< >": "speed", "p": "pause"},
}
"""Section -> key -> what it does."""

GLYPHS: Final[dict[str, str]] = {
    "●": "sounding",
    "○": "nearly: a score above the level at which it would end, not on",
    "▸": "chosen",
    "×": "muted",
    "?": "no recordings of it in training",
    "┃ │": "in a bar: the threshold, above which an instrument begins; it ends somewhat below",
    "╸": "in a bar: the highest score of the last 3 seconds",
    "[ ]": "on the timeline: began, ended",
    "▮ │": "began and ended in one cell; one ended and another began",
    "╱": "nothing was analysed; blank: before this dashboard listened",
    "┆": "the engine was started anew",
}
"""What the picture's signs mean."""

WORDS: Final = """\
Scores are from 0 to 100. Level is the loudness of the last second; 0 dBFS is full scale. "Behind" \
is the time from the end of a second of sound to its estimate. Dropped sound was never analysed: \
the engine drops rather than falls behind."""


KEY_WIDTH: Final = 11


def help_text(ascii_only: bool) -> Table:
    """All of it: sections of two columns, of which the second wraps by itself."""
    written = to_ascii if ascii_only else str
    text = Table.grid(expand=True)
    for title, rows in {**KEYS, "What the picture means": GLYPHS}.items():
        section = Table.grid(padding=(0, 2, 0, 0), expand=True)
        section.add_column(width=KEY_WIDTH, no_wrap=True)
        section.add_column(ratio=1)
        for key, what in rows.items():
            section.add_row(written(key), Text(what))
        text.add_row(Text(title, "bold"))
        text.add_row(section)
        text.add_row()
    text.add_row(Text(WORDS))
    return text


class HelpScreen(ModalScreen[None]):
    """What the keys do and what the picture means."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,enter,space", "dismiss", "close"),
        Binding("up,k", "scroll(-1)", "up"),
        Binding("down,j", "scroll(1)", "down"),
        Binding("pageup", "scroll(-10)", "page up"),
        Binding("pagedown", "scroll(10)", "page down"),
        Binding("home", "scroll(-1000)", "top"),
        Binding("end", "scroll(1000)", "bottom"),
        Binding("q", "app.quit", "quit"),
    ]

    def compose(self) -> ComposeResult:
        """The text, in a box that scrolls."""
        with VerticalScroll(classes="sheet", can_focus=False) as box:
            box.border_title = "help"
            box.border_subtitle = "arrows scroll, esc closes"
            yield Static(help_text(self.app.has_class("-ascii")))

    def action_scroll(self, lines: int) -> None:
        """Scrolls by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
