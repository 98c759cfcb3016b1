"""The help, over the picture: it scrolls, and fits any terminal."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

HELP: Final = """\
[b]Screens[/b]
1 now         what sounds, since when, for how long
2 timeline    what sounded before, up to an hour
3 evidence    which seconds speak for an instrument
4 sources     all inputs at once
5 health      delay, losses, level, in plain words
6 log         every event and warning

[b]Everywhere[/b]
q  quit                 space  freeze the picture
tab, shift+tab  next and previous source
t  theme                s  save a picture (SVG)
x  export the events    m  mark this moment
ctrl+p  all commands    esc  back to the newest

[b]Timeline[/b]
left, right  move       + and -  zoom
\\[ and ]  to an event   end  follow the sound
A bracket opens where an instrument began and closes \
where it ended. Slanted strokes: nothing was analysed.

[b]Evidence[/b]
up, down  instrument    g  the graph alone

[b]Sources[/b]
up, down  choose        enter  show

[b]Log[/b]
up, down  scroll        f  filter       /  search

[b]Where the engine takes requests[/b]
< and >  threshold of the chosen instrument
n  mute it              z  undo
v  sensitivity          p  pause the source
d  another device, with its level before

[b]In a replay[/b]
< and >  speed          p  pause

[b]What the picture means[/b]
The bar is what sounds now, 0 to 100. The upright tick is \
the threshold: an instrument begins above it and ends \
somewhat below it. The short stroke is the highest score \
of the last 3 seconds.
● sounding   ○ nearly   ? no recordings in training

Level is the loudness of the last second; 0 dBFS is full \
scale. "Behind" is the time from the end of a second of \
sound to its estimate. Dropped sound was never analysed: \
the engine drops rather than falls behind."""


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
            yield Static(HELP)

    def action_scroll(self, lines: int) -> None:
        """Scrolls by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
