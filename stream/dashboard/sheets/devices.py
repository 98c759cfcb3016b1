"""The choice of another device, with the level of the one that is looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mmgat.stream.bus.access.keys import ClientKeys
from mmgat.stream.control.client import AsyncControlClient
from mmgat.stream.control.requests import Devices, Listen
from mmgat.stream.dashboard.drawing.ascii import to_ascii
from mmgat.stream.dashboard.drawing.bars import meter
from mmgat.stream.dashboard.drawing.words import level
from mmgat.stream.errors import ProtocolError, PublishError

LOOK_S: Final = 0.25
"""Between two looks at the level."""

TIMEOUT_S: Final = 16.0
"""An audio system may take so long to list its devices."""

CELLS: Final = 14


class DeviceChoice(ModalScreen[str]):
    """The inputs of the engine's machine; the answer is the name of one, or "".

    The engine opens the marked one to say how loud it is, while its own goes on.

    Args:
        address: of the engine's control endpoint.
        keys: for it, if it has some.
        current: the device that the source listens to.
        current_level: the level of that one, in dBFS.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "cancel", "cancel")]

    def __init__(
        self,
        address: str,
        keys: ClientKeys | None,
        current: str,
        current_level: Callable[[], float | None],
    ) -> None:
        super().__init__()
        self._address, self._keys = address, keys
        self._current, self._current_level = current, current_level
        self._choice = OptionList()
        self._told = Static("looking for inputs", id="level", markup=False)

    def compose(self) -> ComposeResult:
        """The list in a box, the level beneath it."""
        with Vertical(classes="sheet") as box:
            box.border_title = "listen to another device"
            box.border_subtitle = "enter takes, esc leaves"
            yield self._choice
            yield self._told

    def on_mount(self) -> None:
        """Begins to ask the engine."""
        self.run_worker(self._ask())

    async def _ask(self) -> None:
        try:
            async with AsyncControlClient(self._address, self._keys, TIMEOUT_S) as control:
                self._fill((await control(Devices()))["devices"])
                while True:
                    self._tell(await self._level(control))
                    await asyncio.sleep(LOOK_S)
        except (ProtocolError, PublishError, KeyError, TypeError) as error:
            self._tell(str(error))

    def _fill(self, devices: list[dict[str, Any]]) -> None:
        choice = self._choice
        for device in devices:
            now = "● " if device["name"] == self._current else "  "
            rate_khz = device["sample_rate_hz"] / 1000
            text = f"{now}{device['name']}  {device['channels']} in, {rate_khz:g} kHz"
            if device["loopback"]:
                text += ", what the machine plays"
            choice.add_option(Option(self._writable(text), id=device["name"]))
        if devices:
            choice.highlighted = 0
            choice.focus()

    async def _level(self, control: AsyncControlClient) -> str:
        """The level of the marked device, in a line; or why there is none."""
        option = self._choice.highlighted_option
        if option is None or option.id is None:
            return "there is no input"
        if option.id == self._current:
            dbfs = self._current_level()
        else:
            try:
                dbfs = (await control(Listen(option.id)))["level_dbfs"]
            except ProtocolError as error:
                return str(error)
        if dbfs is None:
            return "opening it"
        return f"level {''.join(span.text for span in meter(dbfs, CELLS))} {level(dbfs)}"

    def _tell(self, text: str) -> None:
        self._told.update(self._writable(text))

    def _writable(self, text: str) -> str:
        return to_ascii(text) if self.app.has_class("-ascii") else text

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answers with the chosen device."""
        self.dismiss(event.option_id or "")

    def action_cancel(self) -> None:
        """Answers with nothing."""
        self.dismiss("")
