"""The loop that watches a running engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mmgat.stream.commands.live.session import WATCHDOG_STALL_S, Session
from mmgat.stream.settings import ProgramSettings


@pytest.mark.parametrize(
    ("stuck_s", "signs"), [(0.0, 3), (WATCHDOG_STALL_S - 0.1, 3), (WATCHDOG_STALL_S, 0)]
)
def test_the_watchdog_stays_silent_while_the_engine_hangs(
    monkeypatch: pytest.MonkeyPatch, stuck_s: float, signs: int
) -> None:
    session: Any = Session([], ProgramSettings())
    given: list[str] = []
    session._supervisor = SimpleNamespace(watchdog=lambda: given.append("alive"))
    monkeypatch.setattr(Session, "_check_standard_output", lambda *_: None)
    ends = iter([False, False, False, True])
    engine = SimpleNamespace(wait=lambda _: next(ends), stuck_s=stuck_s, statuses=list)
    outputs = SimpleNamespace(group=SimpleNamespace(warning="", put=None))
    session._watch(engine, outputs, None)
    assert len(given) == signs
