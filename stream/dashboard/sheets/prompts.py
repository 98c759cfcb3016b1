"""Small sheets over the picture: a list to choose from, and a line to type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option


class Choose(ModalScreen[str]):
    """A list; the answer is the key of the chosen line, or "".

    Args:
        title: what is chosen.
        options: key -> the line's text.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "cancel", "cancel")]

    def __init__(self, title: str, options: Mapping[str, str]) -> None:
        super().__init__()
        self._title, self._options = title, options

    def compose(self) -> ComposeResult:
        """The list in a box."""
        with Vertical(classes="sheet") as box:
            box.border_title = self._title
            box.border_subtitle = "enter takes, esc leaves"
            yield OptionList(*(Option(text, id=key) for key, text in self._options.items()))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answers with the chosen line."""
        self.dismiss(event.option_id or "")

    def action_cancel(self) -> None:
        """Answers with nothing."""
        self.dismiss("")


class Search(ModalScreen[str]):
    """A line to type; every change is the application's to show.

    Args:
        words: to begin with.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel")]

    def __init__(self, words: str) -> None:
        super().__init__(classes="-search")
        self._words = words

    def compose(self) -> ComposeResult:
        """The line, at the bottom of the screen."""
        yield Input(self._words, placeholder="words to find", id="search", compact=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answers with the words."""
        self.dismiss(event.value)

    def action_cancel(self) -> None:
        """Answers with no words: the whole log."""
        self.dismiss("")
