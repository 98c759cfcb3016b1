"""Actions that move what is shown: lines, moments, sources, filters."""

from __future__ import annotations

from dataclasses import replace

from textual.widgets import Input

from mmgat.stream.dashboard.actions.base import Base
from mmgat.stream.dashboard.screens import log, summary
from mmgat.stream.dashboard.screens.frame import body_height
from mmgat.stream.dashboard.screens.health import last_scroll
from mmgat.stream.dashboard.screens.timeline import last_top
from mmgat.stream.dashboard.state import steering
from mmgat.stream.dashboard.state.steering import FAR


class Navigation(Base):
    """The keys for moving; what they do is in ``state/steering.py``."""

    def action_step(self, steps: int) -> None:
        """Goes up or down a line."""
        view, (width, height) = self.view, self.screen.size
        last = 0
        if self.mode == "log":
            last = log.last_scroll(view, width, height)
        elif self.mode == "health":
            last = last_scroll(view, width, height)
        elif self.mode == "now":
            last = summary.last_scroll(view, width, body_height(height))
        elif self.mode == "timeline":
            last = last_top(view, body_height(height))
        self.choose(steering.stepped(view, self.mode, steps, last))

    def action_page(self, pages: int) -> None:
        """Goes up or down a page; on the timeline back or forward by a whole span."""
        if self.mode == "timeline":
            self.action_move(pages)
        else:
            self.action_step(pages * max(1, self.size.height - 6))

    def action_move(self, parts: float) -> None:
        """Moves the timeline's cursor."""
        self.choose(steering.moved(self.view, parts))

    def action_oldest(self) -> None:
        """Goes to the oldest moment, or to the last line."""
        if self.mode == "timeline":
            self.choose(steering.moved(self.view, -FAR))
        else:
            self.action_step(FAR if self.mode == "log" else -FAR)

    def action_newest(self) -> None:
        """Follows the newest again."""
        if self.mode == "timeline":
            self.choose(replace(self.choices, cursor_s=None))
        else:
            self.action_step(-FAR if self.mode == "log" else FAR)

    def action_zoom(self, steps: int) -> None:
        """Makes the timeline wider or narrower."""
        self.choose(self.choices.zoomed(steps))

    async def action_jump(self, direction: int) -> None:
        """Goes to the next event, or the previous one, on the timeline."""
        if self.mode != "timeline":
            await self.action_screen("timeline")
        self.choose(steering.jumped(self.view, direction))

    async def action_choose(self) -> None:
        """Shows the chosen source."""
        if self.mode == "sources":
            self.choose(steering.chosen_source(self.view))
            await self.action_screen("now")

    def action_filter(self) -> None:
        """Shows another kind of the log's entries."""
        self.choose(self.choices.next_filter())

    async def action_graph(self) -> None:
        """Shows nothing but the graph, or the seconds too."""
        await self.action_screen("evidence")
        self.choose(replace(self.choices, graph_only=not self.choices.graph_only))

    async def action_back(self) -> None:
        """Follows the newest again, and shows the whole log."""
        self.choose(replace(self.choices, cursor_s=None, search="", log_scroll=0, top=None))

    def action_source(self, steps: int) -> None:
        """Shows the next source that has been heard, or the previous one."""
        self.choose(steering.next_source(self.view, steps))

    async def action_search(self) -> None:
        """Asks for the words that the log's entries must have."""
        from mmgat.stream.dashboard.sheets.prompts import Search

        await self.action_screen("log")
        self.push_screen(Search(self.choices.search), self._search)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Shows what the words find while they are typed."""
        self._search(event.value)

    def _search(self, words: str | None) -> None:
        self.choose(replace(self.choices, search=words or "", log_scroll=0))
