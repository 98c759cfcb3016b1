"""What the parts of the application share: the view, the user's choices, and how they are shown."""

from __future__ import annotations

from abc import abstractmethod

from textual.app import App

from mmgat.stream.dashboard.replay import Replay
from mmgat.stream.dashboard.state.dashboard import DashboardState
from mmgat.stream.dashboard.state.view import Choices, View


class Base(App[None]):
    """An application that shows a view."""

    state: DashboardState
    choices: Choices
    replay: Replay | None

    @property
    @abstractmethod
    def view(self) -> View:
        """What there is to see."""

    @abstractmethod
    def choose(self, choices: Choices) -> None:
        """Takes other choices of the user, and shows them at once."""

    @abstractmethod
    def tell(self, note: str) -> None:
        """Shows the answer to an action for a while."""

    @abstractmethod
    def unix_now(self) -> float:
        """Seconds since 1970."""

    @abstractmethod
    async def action_screen(self, name: str) -> None:
        """Shows another screen."""

    @property
    def mode(self) -> str:
        """The name of the screen."""
        return self.current_mode
