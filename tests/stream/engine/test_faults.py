"""A fault in computing costs the windows that it meets, and not the stream."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmgat.stream.audio.inputs import Input
from mmgat.stream.bus.protocol import Estimate, Event, Message
from mmgat.stream.engine.engine import MAX_FAILED_ROUNDS, Engine
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings
from tests.conftest import melody, untrained_model
from tests.stream.engine.test_engine import ScriptedSource

RATE_HZ = 16_000
SETTINGS = StreamSettings(hop_s=0.5, nodes=3)


def failing(fails: Callable[[int], bool]) -> Recognizer:
    """A recogniser whose network fails in some of its calls, which count from 1."""
    model, n_calls = untrained_model(), [0]

    def compute(*arguments: Any) -> Any:
        n_calls[0] += 1
        if fails(n_calls[0]):
            raise MemoryError("no room")
        return model.backend(*arguments)

    return Recognizer(replace(model, backend=compute), SETTINGS)  # type: ignore[arg-type]


def run(fails: Callable[[int], bool], seconds: float) -> tuple[Engine, list[Message]]:
    messages: list[Message] = []
    source = ScriptedSource(melody(seconds, RATE_HZ), live=False)
    engine = Engine([Input(source)], failing(fails), [messages.append], SETTINGS)
    engine.start()
    assert engine.wait(60)
    return engine, messages


def test_a_window_that_cannot_be_recognised_is_lost_counted_and_told() -> None:
    engine, messages = run(lambda call: call in (3, 4), 6.0)
    (status,) = engine.statuses()
    assert engine.error is None
    assert status.state == "ended"
    assert status.message == "2 windows could not be recognised and are lost: MemoryError: no room"
    indices = [message.index for message in messages if isinstance(message, Estimate)]
    assert indices == [0, 1, 4, 5, 6, 7, 8, 9, 10, 11]
    assert (status.captured, status.dropped) == (6 * RATE_HZ, 2 * RATE_HZ // 2)
    assert engine.accounts["scripted"].balanced
    events = [message for message in messages if isinstance(message, Event)]
    assert {e.id for e in events if e.event == "on"} == {e.id for e in events if e.event == "off"}


def test_estimates_behind_a_lost_window_have_no_node_of_it() -> None:
    _, messages = run(lambda call: call == 5, 6.0)
    behind = next(m for m in messages if isinstance(m, Estimate) and m.index == 6)
    assert behind.evidence_t0 == [0.5, 2.5]  # of the half seconds; the window at 1.5 s was lost


@pytest.mark.parametrize("first", [1, 4])
def test_an_engine_that_only_fails_ends_and_says_why(first: int) -> None:
    engine, messages = run(lambda call: call >= first, 30.0)
    (status,) = engine.statuses()
    assert isinstance(engine.error, MemoryError)
    assert (status.state, status.message) == ("failed", "no room")
    assert len([m for m in messages if isinstance(m, Estimate)]) == first - 1
    assert status.dropped == (MAX_FAILED_ROUNDS - 1) * RATE_HZ // 2


NO_IMPORTS = """
import sys
from pathlib import Path
from mmgat.stream import Engine, FileSource, Input, Publisher, load_recognizer

class Refusal:
    def find_spec(self, name, path=None, target=None):
        raise OSError(24, "Too many open files", name)

source, heard = FileSource(Path(sys.argv[1])), []
source.probe()
recognizer = load_recognizer()
engine = Engine([Input(source)], recognizer, [heard.append])
publisher = Publisher("tcp://127.0.0.1:*", engine.statuses)
recognizer.warm_up(1)
sys.meta_path.insert(0, Refusal())
engine.start()
engine.wait(60)
publisher.close()
print(engine.error, len(heard) > 10, engine.statuses()[0].dropped)
"""


def test_nothing_is_imported_once_sound_comes(wav: Callable[..., Path]) -> None:
    """So an engine that may open no more files goes on."""
    path = wav(melody(6.0, RATE_HZ), RATE_HZ)
    command = [sys.executable, "-c", NO_IMPORTS, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "None True 0", done.stderr
