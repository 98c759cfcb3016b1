"""The base of all widgets: a part of the picture, drawn line by line from the state."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from mmgat.stream.dashboard.drawing import MIX_STEPS, ColorRole, Line
from mmgat.stream.dashboard.state import DashboardState, SourceState

COLOR_ROLES = (
    "text", "muted", "faint", "bright", "sounding", "quiet", "track", "shadow", "tick", "dark",
    "ok", "notice", "warning", "error",
)  # fmt: skip


@dataclass(frozen=True)
class View:
    """What is shown: the state, the source chosen, and the time it is shown at."""

    state: DashboardState
    source: SourceState | None
    now: float
    frozen: bool = False


class Panel(Widget):
    """Draws ``lines`` of a view and repaints only when they have changed."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"role--{name}" for name in COLOR_ROLES}
    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__()
        self._view: View | None = None
        self._lines: list[Line] = []
        self._styles: dict[ColorRole, Style] = {}

    @abstractmethod
    def lines(self, view: View, width: int, height: int) -> list[Line]:
        """The picture in at most ``height`` lines of at most ``width`` cells."""

    def show(self, view: View) -> None:
        """Draws ``view``."""
        self._view = view
        self._draw()

    def on_resize(self) -> None:
        """Draws the last view in the new size."""
        self._draw()

    def _draw(self) -> None:
        width, height = self.size
        if self._view is None or not (width and height):
            return
        lines = self.lines(self._view, width, height)
        if lines != self._lines:
            self._lines = lines
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Line ``y`` of the panel, in the styles of its color roles."""
        base = self.rich_style
        width = self.size.width
        if y >= len(self._lines):
            return Strip.blank(width, base)
        segments = [Segment(_printable(text), base + self._style(role))
                    for text, role in self._lines[y]]  # fmt: skip
        return Strip(segments).adjust_cell_length(width, base)

    def _style(self, role: ColorRole) -> Style:
        if role not in self._styles:
            styles = self.get_component_styles(f"role--{role.name}")
            color = styles.color
            if role.other:
                other = self.get_component_styles(f"role--{role.other}").color
                color = color.blend(other, role.step / MIX_STEPS)
            self._styles[role] = Style(color=color.rich_color, bold=styles.text_style.bold)
        return self._styles[role]


def _printable(text: str) -> str:
    """Text from the network without anything that would steer the terminal."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)
