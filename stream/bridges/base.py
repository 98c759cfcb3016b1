"""What a bridge is: it opens a receiver, sends it signals, and closes it.

A bridge is a subscriber like any other, in a process of its own, so a receiver that is gone or slow
never touches audio. ``runner.py`` calls it from one thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from typing import Any, ClassVar

import msgspec

from mmgat.stream.bus.protocol import Message
from mmgat.stream.errors import BridgeError
from mmgat.stream.setting_types import SettingsGroup


class SourceLost(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing comes from a source any more, not even its status: the engine is gone."""

    source: str


Signal = Message | SourceLost


class ReceiverAway(Exception):
    """The receiver cannot be reached now: "expected a broker at HOST:PORT, found ...".

    It is tried again with a growing pause; what comes meanwhile is counted as not delivered.
    """


class Bridge(ABC):
    """Carries signals to one receiver.

    A class of another package is found by its entry point in the group ``mmgat.bridges``, under the
    name that ``mmgat-bridge`` is then called with.

    Example::

        class PrintBridge(Bridge):
            Settings = PrintSettings  # a SettingsGroup: its fields are the command's options

            def open(self): ...
            def send(self, signal): print(signal)
            def close(self): ...

    Args:
        settings: an instance of ``Settings``.

    Attributes:
        Settings: class of the settings; the options of the command are made of its fields.
        history: wants every message as it was published, also events that are past; otherwise a
            bridge gets the events that change what sounds now.
        not_delivered: messages that the bridge itself could not hand to a receiver.
        not_received: messages that the engine published and that did not reach the bridge.
    """

    Settings: ClassVar[type[SettingsGroup]] = SettingsGroup
    history: ClassVar[bool] = False

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.not_delivered = self.not_received = 0

    @property
    @abstractmethod
    def receiver(self) -> str:
        """Where it sends, for messages to the user: ``osc://127.0.0.1:9000``."""

    @abstractmethod
    def open(self) -> None:
        """Connects; what sounds now is sent after it.

        Raises:
            ReceiverAway: the receiver may come later.
            BridgeError: it can never be opened so: a wrong setting, a missing driver.
        """

    @abstractmethod
    def send(self, signal: Signal) -> None:
        """Hands a signal over; returns soon.

        Raises:
            ReceiverAway: it was not delivered, and the receiver is gone.
        """

    @abstractmethod
    def close(self) -> None:
        """Gives everything back; may be called at any time, and more than once."""


def required(module: str, package: str, extra: str) -> Any:
    """A module of an optional library.

    Raises:
        BridgeError: it is not installed; says the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise BridgeError(
            f"expected {package}, found {error}: install it with pip install 'mmgat-stream[{extra}]'"
        ) from None
