"""Actions on the engine, where it offers control: thresholds, mutes, sensitivity, pause, marks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

import msgspec

from mmgat.stream.bus.access.keys import ClientKeys
from mmgat.stream.bus.messages import Hello
from mmgat.stream.control.client import AsyncControlClient
from mmgat.stream.control.requests import (
    Describe,
    MarkMoment,
    Mute,
    Pause,
    Request,
    Resume,
    SetSensitivity,
    SetThresholds,
    Switch,
    Unmute,
)
from mmgat.stream.dashboard.actions.base import Base
from mmgat.stream.dashboard.drawing.words import instrument
from mmgat.stream.dashboard.state.dashboard import with_mark
from mmgat.stream.errors import ProtocolError, PublishError

SENSITIVITIES: Final[tuple[Literal["low", "normal", "high"], ...]] = ("low", "normal", "high")
MAX_UNDO: Final = 50
TIMEOUT_S: Final = 2.0
SWITCH_TIMEOUT_S: Final = 16.0
"""An audio system may take so long to open a device."""

NO_CONTROL: Final = "the engine takes no requests: start it with --control ADDRESS"

Change = tuple[Request, Request, str]
"""What is asked, what takes it back, and what the user is told."""


class Actions(Base):
    """The keys that ask something of the engine; each change can be undone.

    Attributes:
        control: where this terminal's own engine takes requests, with no key; "" for any other.
        keys: for an engine that has some.
        undo: requests that take back the last changes, and what they are called.
    """

    control: str
    keys: ClientKeys | None
    undo: list[tuple[Request, str]]

    @property
    @abstractmethod
    def hello(self) -> Hello | None:
        """Who speaks."""

    @property
    def control_address(self) -> str:
        """Where the engine takes requests; "" where it takes none."""
        if self.hello is None:
            return ""
        return self.control or self.hello.control

    @abstractmethod
    def take_thresholds(self, thresholds: dict[str, float]) -> None:
        """Shows other thresholds."""

    def action_threshold(self, step: float) -> None:
        """Raises or lowers the threshold of the chosen instrument, or the speed of a replay."""
        if self.replay:
            self.replay.change_speed(1 if step > 0 else -1)
            self.tell(f"replay: {self.replay.pace}")
            return
        label = self.view.label

        def change(now: dict[str, Any]) -> Change:
            decision = now["decision"]
            old = decision["thresholds"].get(label, 0.5)
            new = round(min(0.99, max(0.01, old + step)), 2)
            back = SetThresholds({label: decision["set"].get(label)})
            words = f"{instrument(label)} begins at {100 * new:.0f}"
            return SetThresholds({label: new}), back, words

        self._change(change)

    def action_mute(self) -> None:
        """Mutes the chosen instrument, or names it again."""
        label = self.view.label

        def change(now: dict[str, Any]) -> Change:
            on, off = Mute([label]), Unmute([label])
            if label in now["decision"]["muted"]:
                return off, on, f"{instrument(label)} is named again"
            return on, off, f"{instrument(label)} is muted"

        self._change(change)

    def action_sensitivity(self) -> None:
        """Takes the next sensitivity."""

        def change(now: dict[str, Any]) -> Change:
            old = now["decision"]["sensitivity"]
            new = SENSITIVITIES[(SENSITIVITIES.index(old) + 1) % len(SENSITIVITIES)]
            return SetSensitivity(new), SetSensitivity(old), f"sensitivity: {new}"

        self._change(change)

    def action_pause(self) -> None:
        """Pauses the source, or the replay, or goes on."""
        if self.replay:
            self.replay.pause()
            self.tell(f"replay: {self.replay.pace}")
            return
        source = self.view.source
        if source is None:
            return
        name = source.name

        def change(now: dict[str, Any]) -> Change:
            paused = {one["source"]: one["paused"] for one in now["sources"]}
            if paused.get(name):
                return Resume(name), Pause(name), f"{name} goes on"
            return Pause(name), Resume(name), f"{name} is paused"

        self._change(change)

    def action_devices(self) -> None:
        """Chooses another device for the source, by its level."""
        source, address = self.view.source, self.control_address
        if source is None or not address:
            self.tell(NO_CONTROL)
            return
        name = source.name

        async def choose(control: AsyncControlClient) -> str:
            states = (await control(Describe()))["sources"]
            current = next((one["device"] for one in states if one["source"] == name), "")
            if not current:
                return f"{name} is no device: there is nothing to switch"
            self._choose_device(address, name, current)
            return ""

        self._run(choose)

    def _choose_device(self, address: str, name: str, current: str) -> None:
        from mmgat.stream.dashboard.sheets.devices import DeviceChoice

        def level() -> float | None:
            source = self.state.sources.get(name)
            return source.estimate.level_dbfs if source and source.estimate else None

        def chosen(device: str | None) -> None:
            if not device or device == current:
                return

            def change(_: dict[str, Any]) -> Change:
                return Switch(name, device), Switch(name, current), f"{name} listens to {device}"

            self.tell(f"opening {device}")
            self._change(change, SWITCH_TIMEOUT_S)

        if len(self.screen_stack) == 1:
            self.push_screen(DeviceChoice(address, self._control_keys, current, level), chosen)

    def action_mark(self) -> None:
        """Marks the moment: at the engine if it takes requests, or else here alone."""

        async def ask(control: AsyncControlClient) -> str:
            await control(MarkMoment())
            return "marked this moment for everybody"

        if self.control_address:
            self._run(ask)
            return
        name = self.view.source.name if self.view.source else ""
        self.state = with_mark(self.state, name, "marked", self.unix_now())
        self.tell("marked this moment, here only")

    def action_undo(self) -> None:
        """Takes back the last change."""
        if not self.undo:
            self.tell("nothing to undo")
            return
        request, words = self.undo.pop()
        patience_s = SWITCH_TIMEOUT_S if isinstance(request, Switch) else None

        async def ask(control: AsyncControlClient) -> str:
            self._show(await control(request))
            return f"undone, {words}"

        self._run(ask, patience_s)

    def _change(
        self, change: Callable[[dict[str, Any]], Change], timeout_s: float | None = None
    ) -> None:
        async def ask(control: AsyncControlClient) -> str:
            request, back, words = change(await control(Describe()))
            self._show(await control(request))
            self.undo = [*self.undo, (back, words)][-MAX_UNDO:]
            return f"{words} (z: undo)"

        self._run(ask, timeout_s)

    @property
    def _control_keys(self) -> ClientKeys | None:
        return None if self.control else self.keys

    def _show(self, answer: dict[str, Any]) -> None:
        """Shows a ``Decision`` that the engine answered with."""
        if "thresholds" in answer:
            self.take_thresholds(dict(answer["thresholds"]))

    def _run(
        self,
        ask: Callable[[AsyncControlClient], Awaitable[str]],
        timeout_s: float | None = None,
    ) -> None:
        """Asks in a worker: keys and picture never wait for the engine."""
        address = self.control_address
        if not address:
            self.tell(NO_CONTROL)
            return

        async def work() -> None:
            try:
                async with AsyncControlClient(
                    address, self._control_keys, timeout_s or TIMEOUT_S
                ) as control:
                    self.tell(await ask(control))
            except (ProtocolError, PublishError, KeyError, TypeError) as error:
                self.tell(str(error))

        self.run_worker(work(), group="control")


def with_thresholds(hello: Hello, thresholds: dict[str, float]) -> Hello:
    """The hello with other thresholds."""
    model = msgspec.structs.replace(hello.model, thresholds=thresholds)
    return msgspec.structs.replace(hello, model=model)
