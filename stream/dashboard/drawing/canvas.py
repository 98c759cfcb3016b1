"""The widget of every screen: lines of coloured cells, repainted where they have changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from mmgat.stream.dashboard.drawing.ascii import to_ascii
from mmgat.stream.dashboard.drawing.cells import MIX_STEPS, ROLES, ColorRole, Line
from mmgat.stream.dashboard.state.view import View

Render = Callable[[View, int, int], list[Line]]


class Canvas(Widget):
    """Draws what a pure function makes of a view.

    Args:
        render: from a view, a width and a height to at most ``height`` lines of ``width`` cells.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"role--{name}" for name in ROLES}
    ALLOW_SELECT = False

    def __init__(self, render: Render) -> None:
        super().__init__()
        self._picture = render
        self._view: View | None = None
        self._lines: list[Line] = []
        self._styles: dict[ColorRole, Style] = {}

    def show(self, view: View) -> None:
        """Draws ``view``."""
        self._view = view
        self._draw()

    def on_resize(self) -> None:
        """Draws the last view in the new size."""
        self._lines = []
        self._draw()

    def notify_style_update(self) -> None:
        """Takes the colours of another theme."""
        self._styles.clear()
        super().notify_style_update()

    def _draw(self) -> None:
        width, height = self.size
        if self._view is None or not (width and height):
            return
        lines, before = self._picture(self._view, width, height)[:height], self._lines
        if lines == before:
            return
        self._lines = lines
        if len(lines) != len(before):
            self.refresh()
            return
        changed = (y for y, (new, old) in enumerate(zip(lines, before, strict=True)) if new != old)
        self.refresh(*(Region(0, y, width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        """Line ``y``, in the styles of its colour roles."""
        base = self.rich_style
        width = self.size.width
        if y >= len(self._lines):
            return Strip.blank(width, base)
        ascii_only = self.app.has_class("-ascii")
        segments = [
            Segment(_printable(text, ascii_only), base + self._style(role))
            for text, role in self._lines[y]
        ]
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


def _printable(text: str, ascii_only: bool) -> str:
    """Text from the network without anything that would steer the terminal."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return to_ascii(text) if ascii_only else text
