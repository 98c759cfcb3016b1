"""The Textual application: receives, advances the state, draws at most ten times a second."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.filter import LineFilter

from mmgat.stream.bus.access.keys import ClientKeys
from mmgat.stream.bus.protocol import GRAPH_TOPICS, Hello, Message
from mmgat.stream.dashboard.actions.engine import Actions, with_thresholds
from mmgat.stream.dashboard.actions.files import Files
from mmgat.stream.dashboard.actions.navigation import Navigation
from mmgat.stream.dashboard.feed import Feed, Standstill
from mmgat.stream.dashboard.replay import Replay
from mmgat.stream.dashboard.screens.frame import SCREENS
from mmgat.stream.dashboard.screens.picture import Picture
from mmgat.stream.dashboard.sheets.palette import Commands
from mmgat.stream.dashboard.state.dashboard import (
    DashboardState,
    advance,
    observe,
    with_notice,
    with_trouble,
)
from mmgat.stream.dashboard.state.view import Choices, View
from mmgat.stream.dashboard.themes import NAMES, load_themes, no_colors, theme_for

REDRAW_S: Final = 0.1
CALM_REDRAW_S: Final = 1.0
"""Between two pictures with reduced motion."""

BURST_S: Final = 0.02
"""For how long a burst of messages is taken in one go."""

NOTE_S: Final = 5.0
"""For how long the answer to an action is shown."""


class DashboardApp(Navigation, Files, Actions):
    """The picture of one publisher.

    Args:
        feed: where messages come from; the caller closes it.
        exit_with_engine: leave as soon as every source has ended or failed; otherwise the last
            picture stays. When the parent process is no more, it always leaves.
        theme: one of ``themes.NAMES``; "" for what suits the terminal.
        ascii_only: draw with ASCII characters.
        reduced_motion: draw once a second only.
        control: where the engine takes requests, with no key; "" for where its hello says.
        keys: for the engine's control endpoint, if it has some.
        stray: lines that libraries wrote to the terminal; they are taken out, and go to the log.
        folder: where pictures and exports go; the current one by default.
        clock: monotonic seconds; tests inject their own.
        unix_clock: seconds since 1970.
    """

    TITLE = "mmgat-dashboard"
    CSS_PATH = "dashboard.tcss"
    MODES = {name: partial(Picture, name) for name in SCREENS}  # noqa: RUF012
    DEFAULT_MODE = "now"
    COMMANDS = {Commands}  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(n), f"screen('{name}')", name) for n, name in enumerate(SCREENS, 1)),
        Binding("q", "quit", "quit"),
        Binding("ctrl+c,ctrl+q", "quit", "quit", priority=True, show=False),
        Binding("question_mark,f1", "help", "help"),
        Binding("space", "freeze", "freeze"),
        Binding("tab", "source(1)", "next source", priority=True),
        Binding("shift+tab", "source(-1)", "previous source", priority=True),
        Binding("t", "theme", "theme"),
        Binding("up", "step(-1)", "up"),
        Binding("down", "step(1)", "down"),
        Binding("pageup", "page(-1)", "page up"),
        Binding("pagedown", "page(1)", "page down"),
        Binding("left", "move(-0.1)", "back"),
        Binding("right", "move(0.1)", "forward"),
        Binding("home", "oldest", "oldest"),
        Binding("end", "newest", "newest"),
        Binding("plus,equals_sign", "zoom(-1)", "zoom in"),
        Binding("minus", "zoom(1)", "zoom out"),
        Binding("left_square_bracket", "jump(-1)", "previous event"),
        Binding("right_square_bracket", "jump(1)", "next event"),
        Binding("enter", "choose", "choose"),
        Binding("f", "filter", "filter"),
        Binding("m", "mark", "mark"),
        Binding("g", "graph", "graph"),
        Binding("escape", "back", "back"),
        Binding("slash", "search", "search"),
        Binding("s", "picture", "picture"),
        Binding("x", "export", "export"),
        Binding("less_than_sign,comma", "threshold(-0.05)", "lower threshold"),
        Binding("greater_than_sign,full_stop", "threshold(0.05)", "higher threshold"),
        Binding("n", "mute", "mute"),
        Binding("v", "sensitivity", "sensitivity"),
        Binding("p", "pause", "pause"),
        Binding("d", "devices", "devices"),
        Binding("z", "undo", "undo"),
    ]

    def __init__(
        self,
        feed: Feed,
        *,
        exit_with_engine: bool = False,
        theme: str = "",
        ascii_only: bool = False,
        reduced_motion: bool = False,
        control: str = "",
        keys: ClientKeys | None = None,
        folder: Path | None = None,
        stray: deque[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        unix_clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        for known in load_themes():
            self.register_theme(known)
        self.theme = theme or theme_for(self.console.color_system)
        self.set_class(ascii_only, "-ascii")
        self.animation_level = "none"
        self.state = DashboardState(address=feed.address, since=clock())
        self.choices = Choices()
        self._feed = feed
        self._exit_with_engine = exit_with_engine
        self._redraw_s = CALM_REDRAW_S if reduced_motion else REDRAW_S
        self._parent_process = os.getppid()
        self._clock, self._unix_clock = clock, unix_clock
        self._standstill = Standstill()
        self.replay = feed if isinstance(feed, Replay) else None
        self._stray = deque[str]() if stray is None else stray
        self.folder = folder or Path()
        self.control, self.keys, self.undo = control, keys, []
        self._frozen: View | None = None
        self._note_until = 0.0
        self._shown: tuple[object, ...] = ()

    def on_mount(self) -> None:
        """Starts receiving, and redrawing at a fixed rate."""
        self.run_worker(self._receive())
        self.set_interval(self._redraw_s, self._look)

    async def _receive(self) -> None:
        since = time.perf_counter()
        while True:
            self.take(await self._feed.receive())
            # A burst of messages leaves receive without a pause; keys and drawing get theirs here, but
            # not after each: where drawing is slow, messages would come in later and later.
            if time.perf_counter() - since > BURST_S:
                await asyncio.sleep(0)
                since = time.perf_counter()

    def take(self, message: Message) -> None:
        """Advances the state; the next redraw shows it."""
        self.state = advance(self.state, message, self._now(), self._unix_clock())

    @property
    def hello(self) -> Hello | None:
        """Who speaks."""
        return self.state.hello

    def take_thresholds(self, thresholds: dict[str, float]) -> None:
        """Shows other thresholds."""
        if self.state.hello:
            hello = with_thresholds(self.state.hello, thresholds)
            self.state = replace(self.state, hello=hello)

    def unix_now(self) -> float:
        """Seconds since 1970."""
        return self._unix_clock()

    @property
    def view(self) -> View:
        """What there is to see: of now, or of when the picture was frozen."""
        if self._frozen:
            return replace(self._frozen, choices=self.choices)
        can = bool(self.control_address)
        now, unix_now = self._now(), self._unix_clock()
        pace = self.replay.pace if self.replay else ""
        return View(self.state, now, unix_now, self.choices, controllable=can, replay=pace)

    def _now(self) -> float:
        """The clock, which stands still while a recorded session does."""
        still = self.replay is not None and (self.replay.over or self.replay.paused)
        return self._standstill(self._clock(), still)

    def _look(self) -> None:
        """Follows the clock, and draws what has changed."""
        now = self._now()
        if (self._exit_with_engine and self.state.over) or os.getppid() != self._parent_process:
            self.exit()
        lost, damaged = self._feed.losses.lost, self._feed.damaged
        if (lost, damaged) != (self.state.lost, self.state.unreadable):
            self.state = replace(self.state, lost=lost, unreadable=damaged)
        while self._stray:
            text = f"a library says: {self._stray.popleft()}"
            self.state = with_notice(self.state, text, self._unix_clock())
        self.state = with_trouble(self.state, self._feed.trouble, self._unix_clock())
        self.state = observe(self.state, now, self._unix_clock())
        if self.choices.note and self._clock() >= self._note_until:
            self.choices = replace(self.choices, note="")
        self.redraw()

    def redraw(self) -> None:
        """Draws the view, if there is anything new in it."""
        view, screen = self.view, next(iter(self.screen_stack), None)  # none while the app ends
        stamp = (
            screen,
            view.state,
            view.choices,
            int(view.now),
            int(view.unix_now),
            view.replay,
            view.connection,
        )
        if isinstance(screen, Picture) and not _same(stamp, self._shown):
            self._shown = stamp
            screen.show(view)

    def on_picture_shown(self) -> None:
        """Draws on a screen that has come to the front."""
        self.redraw()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What each line passes: with NO_COLOR the terminal's own colours, not Textual's greys."""
        mark = self.current_theme.primary
        return [no_colors(mark)] if self.no_color else super().get_line_filters()

    def action_command_palette(self) -> None:
        """Opens the palette, with a placeholder that every terminal can write."""
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(placeholder="search for commands"))

    def delay_update(self, delay: float = 0.0) -> None:
        """Holds nothing back: Textual hides a change of screen for 50 ms, ours comes drawn."""

    def choose(self, choices: Choices) -> None:
        """Takes other choices of the user, and shows them at once."""
        self.choices = choices
        self.redraw()

    def tell(self, note: str) -> None:
        """Shows the answer to an action for a while."""
        self._note_until = self._clock() + NOTE_S
        self.choose(replace(self.choices, note=note))

    async def action_screen(self, name: str) -> None:
        """Shows another screen."""
        if len(self.screen_stack) == 1:
            if name == "evidence":
                self._feed.subscribe(GRAPH_TOPICS)
            await self.switch_mode(name)
            self.redraw()

    def action_freeze(self) -> None:
        """Freezes the picture, or lets it go on."""
        self._frozen = None if self._frozen else replace(self.view, frozen=True)
        self._shown = ()
        self.redraw()

    def action_theme(self) -> None:
        """Takes the next theme."""
        index = NAMES.index(self.theme) if self.theme in NAMES else -1
        self.theme = NAMES[(index + 1) % len(NAMES)]
        self.tell(f"theme: {self.theme}")

    def action_set_theme(self, name: str) -> None:
        """Takes a theme."""
        self.theme = name
        self._shown = ()
        self.redraw()

    def action_help(self) -> None:
        """Explains keys and picture, over the picture."""
        from mmgat.stream.dashboard.sheets.help import HelpScreen

        if len(self.screen_stack) == 1:
            self.push_screen(HelpScreen())


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    """Whether two stamps are of the very same values; large ones are not compared in depth."""
    return len(one) == len(other) and all(
        a is b or (isinstance(a, int) and a == b) for a, b in zip(one, other, strict=True)
    )
