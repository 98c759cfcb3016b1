"""The Textual application: receives, advances the state, draws at most ten times a second."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Final

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from mmgat.stream.bus.protocol import Message
from mmgat.stream.bus.subscriber import AsyncSubscriber
from mmgat.stream.dashboard.panel import Panel, View
from mmgat.stream.dashboard.state import Connection, DashboardState, advance
from mmgat.stream.dashboard.widgets import (
    Bars,
    EventLog,
    EvidenceMap,
    Header,
    LevelMeter,
    StatusLines,
)

REDRAW_S: Final = 0.1

HELP: Final = """\
[b]instruments[/b]  The bright bar is what sounds now, the shadow behind it what sounded in the \
last seconds. The tick is the label's threshold: an instrument begins above it and ends somewhat \
below it. [#ffb454]● Sounding[/] instruments are bright, with their score in percent. Places \
never change. A ? marks instruments the model saw no recordings of in training.

[b]evidence[/b]  Which of the last seconds speak for an instrument: the brighter, the more.

[b]level[/b]  Loudness of the last second in dBFS; 0 is full scale, yellow from -12, red from -3.

[b]lag[/b]  From the last sample of a second to its estimate. Dropped sound was never analysed: \
the engine drops rather than falls behind.

[b]q[/b] quit   [b]space[/b] freeze the picture, and go on   [b]e[/b] evidence
[b]tab[/b] next source   [b]?[/b] or [b]esc[/b] close this help"""


class HelpScreen(ModalScreen[None]):
    """What the picture means, over the picture."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,enter,space", "dismiss", "Close"),
    ]

    def compose(self) -> ComposeResult:
        """The help text."""
        yield Static(HELP, id="help")


class DashboardApp(App[None]):
    """The picture of one publisher.

    Args:
        subscriber: where messages come from; the caller closes it.
        exit_with_engine: leave as soon as every source has ended or failed; otherwise the last
            picture stays. When the parent process is no more, it always leaves.
        clock: monotonic seconds; tests inject their own.
    """

    TITLE = "mmgat-dashboard"
    CSS_PATH = "dashboard.tcss"
    ENABLE_COMMAND_PALETTE = False
    # Textual declares these two in a way that ClassVar does not pass the type checker.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-lowest"),
        (20, "-low"),
        (24, "-middle"),
        (30, "-roomy"),
        (34, "-high"),
        (46, "-highest"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "quit", priority=True),
        Binding("ctrl+c,ctrl+q", "quit", "quit", priority=True, show=False),
        Binding("space", "freeze", "freeze"),
        Binding("e", "evidence", "evidence"),
        Binding("tab", "next_source", "next source", priority=True),
        Binding("question_mark", "help", "help", key_display="?"),
    ]

    def __init__(
        self,
        subscriber: AsyncSubscriber,
        *,
        exit_with_engine: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.state = DashboardState(address=subscriber.address)
        self._subscriber = subscriber
        self._exit_with_engine = exit_with_engine
        self._parent_process = os.getppid()
        self._clock = clock
        self._chosen = ""
        self._frozen: View | None = None
        self._changed = True
        # The words of these two follow the clock even when nothing arrives.
        self._timely: list[Panel] = [Header(), LevelMeter()]
        self._body = Container(id="body")
        self._panels: list[Panel] = [
            *self._timely,
            Bars(),
            EvidenceMap(),
            EventLog(),
            StatusLines(),
        ]

    def compose(self) -> ComposeResult:
        """Header and level on top, bars beside evidence and events, status and keys below."""
        header, level, bars, evidence, events, status = self._panels
        yield header
        yield level
        with self._body:
            yield bars
            with Container(id="side"):
                yield evidence
                yield events
        yield status
        yield Footer()

    def on_mount(self) -> None:
        """Starts receiving, and redrawing at a fixed rate."""
        self.run_worker(self._receive())
        self.set_interval(REDRAW_S, self._redraw)

    async def _receive(self) -> None:
        while True:
            self.take(await self._subscriber.receive())
            # A burst of messages leaves receive without a pause; keys and drawing get theirs here.
            await asyncio.sleep(0)

    def take(self, message: Message) -> None:
        """Advances the state; the next redraw shows it."""
        n_sources = len(self.state.sources)
        state = advance(self.state, message, self._clock())
        self.state = replace(state, lost=self._subscriber.losses.lost)
        self._changed = True
        if len(self.state.sources) != n_sources:
            self.refresh_bindings()

    @property
    def view(self) -> View:
        """What there is to see now, were the picture not frozen."""
        names = self._heard_names()
        name = self._chosen if self._chosen in names else next(iter(names), "")
        source = self.state.sources.get(name)
        return View(self.state, source, self._clock(), self._frozen is not None)

    def _heard_names(self) -> list[str]:
        return [name for name in self.state.names() if name in self.state.sources]

    def _redraw(self) -> None:
        engine_over = self._exit_with_engine and self.state.over
        if engine_over or os.getppid() != self._parent_process:
            self.exit()
        if self._subscriber.damaged != self.state.unreadable:
            self.state = replace(self.state, unreadable=self._subscriber.damaged)
            self._changed = True
        view = self.view
        live = view.source is not None and view.source.connection(view.now) is Connection.LIVE
        self._body.set_class(not live, "-still")
        for panel in self._timely:
            panel.show(view)
        if self._changed:
            self._changed = False
            for panel in self._panels[len(self._timely) :]:
                panel.show(self._frozen or view)

    def action_freeze(self) -> None:
        """Freezes the picture, or lets it go on."""
        self._frozen = None if self._frozen else self.view
        self._changed = True

    def action_evidence(self) -> None:
        """Hides the evidence, or shows it again."""
        self.screen.toggle_class("-no-evidence")

    def action_next_source(self) -> None:
        """Shows the next source that has been heard."""
        names = self._heard_names()
        if source := self.view.source:
            self._chosen = names[(names.index(source.name) + 1) % len(names)]
            self._changed = True

    def action_help(self) -> None:
        """Explains the picture, over the picture."""
        self.push_screen(HelpScreen())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offers the next source only where there are several."""
        return len(self.state.sources) > 1 if action == "next_source" else True
