"""The screen of a mode: one canvas, which shows the view that the application hands it."""

from __future__ import annotations

from importlib import import_module

from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen

from mmgat.stream.dashboard.drawing.canvas import Canvas
from mmgat.stream.dashboard.state.view import View


class Picture(Screen[None]):
    """Shows what the module ``screens.NAME`` makes of a view.

    Args:
        name: of the mode.
    """

    class Shown(Message):
        """The screen has come to the front, or has another size."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        module = import_module(f"mmgat.stream.dashboard.screens.{name}")
        self.canvas = Canvas(module.render)

    def compose(self) -> ComposeResult:
        """The canvas."""
        yield self.canvas

    def show(self, view: View) -> None:
        """Draws a view."""
        self.canvas.show(view)

    def on_screen_resume(self) -> None:
        """Asks for a view."""
        self.post_message(self.Shown())
