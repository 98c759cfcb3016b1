"""What a subscriber says besides messages: how its connection and the engine behind it do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

NoticeKind = Literal[
    "connected",
    "disconnected",
    "refused",
    "stale",
    "alive",
    "restarted",
    "gap",
    "damaged",
    "foreign",
]


@dataclass(frozen=True)
class Notice:
    """Something that happened, and is no message.

    Attributes:
        kind: ``connected`` and ``disconnected``, also again; ``refused``: the engine does not let us
            in; ``stale``: no heartbeat for three seconds, and ``alive``: there is one again;
            ``restarted``: a new run of the engine speaks; ``gap``: messages were lost; ``damaged``:
            something was skipped; ``foreign``: the engine speaks another version.
        text: in words, for a person.
        topic: of a gap.
        n: messages that were lost or skipped.
    """

    kind: NoticeKind
    text: str
    topic: str = ""
    n: int = 0

    def __str__(self) -> str:
        """The text."""
        return self.text


OnNotice = Callable[[Notice], None]


def ignore(_: Notice) -> None:
    """The counters tell."""
