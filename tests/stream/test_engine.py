import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stream.engine import Engine
from stream.errors import SourceError
from stream.pipeline import Pipeline
from stream.protocol import Estimate, Event, Message
from stream.recognizer import Recognizer
from stream.settings import StreamSettings
from stream.sources import AudioSource, Block, FileSource
from tests.conftest import Samples, melody

MakeRecognizer = Callable[[StreamSettings], Recognizer]
RATE_HZ = 16_000


class ScriptedSource(AudioSource):
    """Gives blocks as fast as they are read, with what a live device does to them."""

    kind = "device"

    def __init__(self, samples: Samples, block: int = 320, live: bool = True) -> None:
        super().__init__("scripted")
        self.sample_rate_hz, self.channels = RATE_HZ, 1
        self.live = live
        self.closed = 0
        self._samples, self._block, self._position = samples, block, 0
        self._stopped = threading.Event()

    def probe(self) -> None: ...

    def open(self) -> None: ...

    def read(self) -> Block | None:
        samples = self._samples[self._position : self._position + self._block]
        if self._stopped.is_set() or not len(samples):
            return None
        position, self._position = self._position, self._position + len(samples)
        return Block(position, samples, time.monotonic())

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        self.closed += 1


def engine_for(
    make: MakeRecognizer, source: AudioSource, sink: Callable[[Message], None]
) -> Engine:
    shape = StreamSettings(hop_s=0.5, nodes=3)
    pipeline = Pipeline(make(shape), source.name, RATE_HZ, shape, source.live)
    return Engine(source, pipeline, [sink], shape)


def test_a_file_through_the_engine_gives_what_its_stages_give(
    make_recognizer: MakeRecognizer, wav: Callable[..., Path]
) -> None:
    samples = melody(5.2, RATE_HZ)
    messages: list[Message] = []
    source = FileSource(wav(samples, RATE_HZ))
    source.probe()
    engine = engine_for(make_recognizer, source, messages.append)
    engine.start()
    assert engine.wait(60)
    shape = StreamSettings(hop_s=0.5, nodes=3)
    pipeline = Pipeline(make_recognizer(shape), source.name, RATE_HZ, shape)
    expected = [*pipeline.process(Block(0, samples, 0.0)), *pipeline.finish()]
    assert messages == expected
    account = engine.account
    assert account.captured == account.analysed == len(samples)
    assert engine.status().state == "ended"


@pytest.mark.parametrize("seed", range(3))
def test_the_account_balances_under_random_stalls_and_the_newest_sound_is_kept(
    make_recognizer: MakeRecognizer, seed: int
) -> None:
    chance = random.Random(seed)
    source = ScriptedSource(melody(30.0, RATE_HZ), block=640)
    last: list[Estimate] = []

    def stalling(message: Message) -> None:
        if chance.random() < 0.3:
            time.sleep(0.02)
        if isinstance(message, Estimate):
            last[:] = [message]
            assert engine.account.balanced

    engine = engine_for(make_recognizer, source, stalling)
    engine.start()
    assert engine.wait(60)
    account = engine.account
    assert account.balanced
    assert account.captured == 30 * RATE_HZ
    assert account.dropped > 0
    assert account.queued == account.discarded == 0
    assert last[0].t1 == 30.0
    assert "audio dropped" in engine.status().message


def test_a_source_that_waits_loses_nothing_under_stalls(make_recognizer: MakeRecognizer) -> None:
    engine = engine_for(
        make_recognizer,
        ScriptedSource(melody(8.0, RATE_HZ), live=False),
        lambda message: time.sleep(0.01),
    )
    engine.start()
    assert engine.wait(60)
    assert engine.account.analysed == engine.account.captured == 8 * RATE_HZ


def test_stopping_ends_what_is_on_discards_what_waits_and_closes_the_source(
    make_recognizer: MakeRecognizer,
) -> None:
    source = ScriptedSource(np.tile(melody(6.0, RATE_HZ), (100, 1)), live=False)
    heard = threading.Event()
    messages: list[Message] = []

    def sink(message: Message) -> None:
        messages.append(message)
        if len(messages) > 20:
            heard.set()

    engine = engine_for(make_recognizer, source, sink)
    engine.start()
    assert heard.wait(60)
    engine.stop()
    assert engine.wait(60)
    account = engine.account
    assert account.balanced
    assert account.queued == 0
    assert account.captured < 600 * RATE_HZ
    assert source.closed == 1
    events = [m for m in messages if isinstance(m, Event)]
    assert {e.id for e in events if e.event == "on"} == {e.id for e in events if e.event == "off"}


def test_a_failing_source_keeps_what_was_heard_and_says_why(
    make_recognizer: MakeRecognizer,
) -> None:
    class Failing(ScriptedSource):
        def read(self) -> Block | None:
            if self._position >= 2 * RATE_HZ:
                raise SourceError("the cable is out")
            return super().read()

    messages: list[Message] = []
    engine = engine_for(make_recognizer, Failing(melody(9.0, RATE_HZ), live=False), messages.append)
    engine.start()
    assert engine.wait(60)
    status = engine.status()
    assert (status.state, status.message) == ("failed", "the cable is out")
    assert len([m for m in messages if isinstance(m, Estimate)]) == 3
    assert status.analysed == 2 * RATE_HZ


def test_a_failing_sink_ends_the_engine_instead_of_hanging_it(
    make_recognizer: MakeRecognizer,
) -> None:
    def broken(message: Message) -> None:
        raise BrokenPipeError

    engine = engine_for(make_recognizer, ScriptedSource(melody(9.0, RATE_HZ), live=False), broken)
    engine.start()
    assert engine.wait(60)
    assert isinstance(engine.error, BrokenPipeError)
    assert engine.account.balanced


def test_nan_is_counted_in_the_status(make_recognizer: MakeRecognizer) -> None:
    samples = melody(2.0, RATE_HZ)
    samples[100:105] = np.nan
    engine = engine_for(make_recognizer, ScriptedSource(samples, live=False), lambda _: None)
    engine.start()
    assert engine.wait(60)
    assert engine.status().nonfinite == 5
    assert "5 NaN" in engine.status().message
