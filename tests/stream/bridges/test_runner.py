"""A receiver that is away is tried again, told of once, and what it missed is counted."""

from __future__ import annotations

import threading

import pytest
from click.testing import CliRunner

from mmgat.stream.bridges.base import Bridge, ReceiverAway, Signal
from mmgat.stream.bridges.registry import bridge_names
from mmgat.stream.bridges.runner import LONGEST_PAUSE_S, Runner
from mmgat.stream.bus.protocol import Message
from mmgat.stream.commands.bridge import main
from mmgat.stream.setting_types import SettingsGroup
from tests.stream.bus.messages import ESTIMATE, HELLO, STATUS, event


class Recorder(Bridge):
    """Keeps what it is sent; is away at the times it is told to be."""

    def __init__(self, *, history: bool = False) -> None:
        super().__init__(SettingsGroup())
        self.away = False
        self.attempts: list[float] = []
        self.sent: list[Signal] = []
        self.history = history  # type: ignore[misc]
        self.now = 0.0

    @property
    def receiver(self) -> str:
        return "a broker"

    def open(self) -> None:
        self.attempts.append(self.now)
        self._check()

    def send(self, signal: Signal) -> None:
        self._check()
        self.sent.append(signal)

    def close(self) -> None: ...

    def _check(self) -> None:
        if self.away:
            raise ReceiverAway("expected a broker, found none")


class Script:
    """Gives one message a quarter of a second, then asks for the end."""

    address, trouble = "tcp://lab:1", ""

    def __init__(self, bridge: Recorder, quit_: threading.Event) -> None:
        self.bridge, self.quit_ = bridge, quit_
        self.rounds: list[Message | None] = []
        self.away: set[int] = set()
        self._round = 0

    def receive(self, timeout_s: float | None = None) -> Message | None:
        self.bridge.now += timeout_s or 0.0
        self.bridge.away = self._round in self.away
        message = self.rounds[self._round] if self._round < len(self.rounds) else None
        self._round += 1
        if self._round >= len(self.rounds):
            self.quit_.set()
        return message


def run(
    rounds: list[Message | None], away: set[int], bridge: Recorder | None = None
) -> tuple[Recorder, Runner, list[str]]:
    bridge, quit_, lines = bridge or Recorder(), threading.Event(), list[str]()
    script = Script(bridge, quit_)
    script.rounds, script.away = rounds, away
    runner = Runner(bridge, script, lines.append, lambda: bridge.now)
    runner.run(quit_)
    return bridge, runner, lines


def test_what_is_received_is_sent_and_the_end_ends_what_sounds() -> None:
    bridge, runner, lines = run([HELLO, ESTIMATE, event(), STATUS], set())
    assert bridge.sent[:4] == [HELLO, ESTIMATE, event(), STATUS]
    assert [getattr(s, "event", "") for s in bridge.sent[4:]] == ["off"]
    assert runner.summary == "4 messages delivered, 0 not delivered"
    assert lines == []


def test_a_receiver_that_was_away_gets_the_state_and_its_absence_is_two_lines() -> None:
    away = set(range(2, 10))
    bridge, runner, lines = run([HELLO, STATUS, event(), *[STATUS] * 17], away)
    assert lines == [
        "expected a broker, found none: trying again after 0.5 s, then ever more rarely, up to "
        "every 30 s",
        f"a broker is back after 4 s; {runner.missed} messages were not delivered meanwhile",
    ]
    assert runner.missed + runner.delivered == 20
    assert event() in bridge.sent


def test_the_pauses_double_up_to_the_longest() -> None:
    bridge, _, _ = run([STATUS, STATUS, *[None] * 600], set(range(1, 700)))
    pauses = [b - a for a, b in zip(bridge.attempts[1:-1], bridge.attempts[2:], strict=True)]
    assert pauses[:7] == [1, 2, 4, 8, 16, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_a_source_that_says_nothing_more_is_told() -> None:
    bridge, _, lines = run([event(), *[None] * 14], set())
    assert [getattr(s, "event", "lost") for s in bridge.sent] == ["on", "off", "lost"]
    assert lines == ["nothing from source lab any more: what it played has ended"]


def test_no_engine_is_told_once() -> None:
    _, _, lines = run([None] * 40, set())
    assert lines == [
        "nothing from tcp://lab:1 yet: waiting; does mmgat-stream run there, and publish on that "
        "address?"
    ]


def test_a_bridge_that_wants_history_gets_every_message_as_it_came() -> None:
    past = [event(replayed=True), event(event="off", replayed=True)]
    bridge, _, _ = run([*past, STATUS], set(), Recorder(history=True))
    assert bridge.sent[:3] == [*past, STATUS]


class Fragile(Recorder):
    """Fails on estimates, as a library might."""

    def send(self, signal: Signal) -> None:
        if signal == ESTIMATE:
            raise ValueError("no such number")
        super().send(signal)


def test_a_fault_of_one_message_loses_that_message_and_is_told_once() -> None:
    bridge, runner, lines = run([ESTIMATE, ESTIMATE, STATUS], set(), Fragile())
    assert [type(signal).__name__ for signal in bridge.sent] == ["Event", "Status", "Event"]
    assert (runner.delivered, runner.not_delivered) == (1, 2)
    assert lines == ["a message was not delivered, ValueError: no such number"]


def test_a_bridge_that_there_is_not_is_told_with_those_that_there_are() -> None:
    result = CliRunner().invoke(main, ["nope"], prog_name="mmgat-bridge")
    assert result.exit_code == 1
    assert result.output == (
        f"mmgat-bridge: expected one of {', '.join(bridge_names())}, found 'nope'\n"
    )


def test_where_the_subscriber_has_said_why_nothing_comes_the_bridge_does_not_guess(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Script, "trouble", "expected tcp://lab:1 to let us in, found it refuse")
    assert run([None] * 40, set())[2] == []
