import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmgat.stream.audio.file import FileSource
from mmgat.stream.audio.inputs import Input
from mmgat.stream.audio.reconnect import ReconnectingSource
from mmgat.stream.audio.source import AudioSource, Block, SourceHealth
from mmgat.stream.bus.protocol import Estimate, Event, Message, Status
from mmgat.stream.engine.block_queue import SampleAccount
from mmgat.stream.engine.engine import Engine
from mmgat.stream.errors import SourceError
from mmgat.stream.recognition.pipeline import Pipeline
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings
from tests.conftest import Samples, melody
from tests.stream.bus.messages import unstamped

MakeRecognizer = Callable[[StreamSettings], Recognizer]
RATE_HZ = 16_000


class ScriptedSource(AudioSource):
    """Gives blocks as fast as they are read, with what a live device does to them."""

    def __init__(self, samples: Samples, block: int = 320, live: bool = True) -> None:
        super().__init__("scripted", "device", RATE_HZ, 1)
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
    return Engine([Input(source)], make(shape), [sink], shape)


def account_of(engine: Engine) -> SampleAccount:
    (account,) = engine.accounts.values()
    return account


def status_of(engine: Engine) -> Status:
    (status,) = engine.statuses()
    return status


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
    assert [unstamped(message) for message in messages] == expected
    account = account_of(engine)
    assert account.captured == account.analysed == len(samples)
    assert status_of(engine).state == "ended"


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
            assert account_of(engine).balanced

    engine = engine_for(make_recognizer, source, stalling)
    engine.start()
    assert engine.wait(60)
    account = account_of(engine)
    assert account.balanced
    assert account.captured == 30 * RATE_HZ
    assert account.dropped > 0
    assert account.queued == account.discarded == 0
    assert last[0].t1 == pytest.approx(30.0, abs=0.025)  # no window needs its last 25 ms
    assert "of the sound of the last 5 minutes was dropped" in status_of(engine).message


def test_a_source_that_waits_loses_nothing_under_stalls(make_recognizer: MakeRecognizer) -> None:
    engine = engine_for(
        make_recognizer,
        ScriptedSource(melody(8.0, RATE_HZ), live=False),
        lambda message: time.sleep(0.01),
    )
    engine.start()
    assert engine.wait(60)
    assert account_of(engine).analysed == account_of(engine).captured == 8 * RATE_HZ


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
    account = account_of(engine)
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
    status = status_of(engine)
    assert (status.state, status.message) == ("failed", "the cable is out")
    assert len([m for m in messages if isinstance(m, Estimate)]) == 4
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
    assert account_of(engine).balanced


def test_nan_is_counted_in_the_status(make_recognizer: MakeRecognizer) -> None:
    samples = melody(2.0, RATE_HZ)
    samples[100:105] = np.nan
    engine = engine_for(make_recognizer, ScriptedSource(samples, live=False), lambda _: None)
    engine.start()
    assert engine.wait(60)
    assert status_of(engine).nonfinite == 5
    assert "5 NaN" in status_of(engine).message


def test_streams_share_the_engine_and_keep_their_order_and_accounts(
    make_recognizer: MakeRecognizer,
) -> None:
    class Named(ScriptedSource):
        def __init__(self, name: str, seconds: float, seed: int) -> None:
            super().__init__(melody(seconds, RATE_HZ, seed=seed), live=False)
            self.info = replace(self.info, name=name)

    shape = StreamSettings(hop_s=0.5, nodes=3)
    messages: list[Message] = []
    lengths = {"a": 2.0, "b": 6.0, "c": 4.0}
    sources = [Named(name, s, seed) for seed, (name, s) in enumerate(lengths.items())]
    engine = Engine([Input(s) for s in sources], make_recognizer(shape), [messages.append], shape)
    engine.start()
    assert engine.wait(60)
    for seed, (name, seconds) in enumerate(lengths.items()):
        found = [m for m in messages if isinstance(m, Estimate) and m.source == name]
        pipeline = Pipeline(make_recognizer(shape), name, RATE_HZ, shape)
        samples = melody(seconds, RATE_HZ, seed=seed)
        alone = [*pipeline.process(Block(0, samples, 0.0)), *pipeline.finish()]
        expected = [m for m in alone if isinstance(m, Estimate)]
        assert [m.index for m in found] == [m.index for m in expected]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(
                list(one.scores.values()), list(other.scores.values()), atol=2e-6
            )
        assert engine.accounts[name] == SampleAccount(len(samples), len(samples))


def test_one_lost_input_does_not_end_the_others_unless_it_is_vital(
    make_recognizer: MakeRecognizer,
) -> None:
    class Lost(ScriptedSource):
        def read(self) -> Block | None:
            raise SourceError("the cable is out")

    shape = StreamSettings(hop_s=0.5, nodes=3)
    for required in (False, True):
        lost = Lost(melody(1.0, RATE_HZ))
        lost.info, lost.required = replace(lost.info, name="lost"), required
        endless = np.tile(melody(6.0, RATE_HZ), (20, 1))
        other = ScriptedSource(endless if required else melody(3.0, RATE_HZ), live=False)
        engine = Engine([Input(lost), Input(other)], make_recognizer(shape), [], shape)
        engine.start()
        assert engine.wait(60)
        first, second = engine.statuses()
        assert (first.state, first.message) == ("failed", "the cable is out")
        assert isinstance(engine.error, SourceError)
        if required:
            assert second.analysed < len(endless)
        else:
            assert (second.state, second.analysed) == ("ended", 3 * RATE_HZ)


def test_when_one_input_does_not_open_the_others_are_closed(
    make_recognizer: MakeRecognizer,
) -> None:
    class Refusing(ScriptedSource):
        def open(self) -> None:
            raise SourceError("busy")

    shape = StreamSettings(hop_s=0.5, nodes=3)
    opened, refusing = ScriptedSource(melody(1.0, RATE_HZ)), Refusing(melody(1.0, RATE_HZ))
    engine = Engine([Input(opened), Input(refusing)], make_recognizer(shape), [], shape)
    with pytest.raises(SourceError, match="busy"):
        engine.start()
    assert opened.closed == 1


class Paused(ScriptedSource):
    """Gives what it has, then waits until it is stopped."""

    def read(self) -> Block | None:
        if self._position < len(self._samples):
            return super().read()
        self._stopped.wait(60)
        return None


def test_a_device_that_does_not_answer_is_named_and_counts_as_stuck(
    make_recognizer: MakeRecognizer,
) -> None:
    now = 100.0
    shape = StreamSettings(hop_s=0.5, nodes=3)
    guard = ReconnectingSource(Paused(melody(1.0, RATE_HZ)), clock=lambda: now)
    guard.probe()
    heard = threading.Event()

    def sink(message: Message) -> None:
        heard.set()

    engine = Engine([Input(guard)], make_recognizer(shape), [sink], shape, clock=lambda: now)
    engine.start()
    assert heard.wait(60)
    assert engine.stuck_s == 0
    now = 112.0
    assert engine.stuck_s == 12
    assert status_of(engine).message == "the audio system has not answered for 12 s"
    engine.stop()
    assert engine.wait(60)
    assert account_of(engine).balanced


def test_a_device_that_gives_nothing_but_zeros_is_called_muted(
    make_recognizer: MakeRecognizer,
) -> None:
    for n_seconds, muted in ((8, False), (12, True)):
        silence = np.zeros((n_seconds * RATE_HZ, 1), np.float32)
        engine = engine_for(make_recognizer, ScriptedSource(silence, live=False), lambda _: None)
        engine.start()
        assert engine.wait(60)
        assert ("is the input muted" in status_of(engine).message) is muted


def test_a_tap_gets_every_sample_that_is_analysed(make_recognizer: MakeRecognizer) -> None:
    samples = melody(3.0, RATE_HZ)
    tapped: list[Block] = []
    shape = StreamSettings(hop_s=0.5, nodes=3)

    def tap(stream: str, rate_hz: int, live: bool, block: Block) -> None:
        assert (stream, rate_hz, live) == ("scripted", RATE_HZ, False)
        tapped.append(block)

    source = ScriptedSource(samples, live=False)
    engine = Engine([Input(source)], make_recognizer(shape), [], shape, [tap])
    engine.start()
    assert engine.wait(60)
    np.testing.assert_array_equal(np.concatenate([b.samples for b in tapped]), samples)


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.hstack([melody(2.0, RATE_HZ), -melody(2.0, RATE_HZ)]), "cancel each other"),
        (np.clip(50 * melody(2.0, RATE_HZ), -1, 1), "samples at full scale"),
        (np.full((12 * RATE_HZ, 1), np.inf, np.float32), "192000 NaN or infinite samples"),
        (melody(2.0, RATE_HZ), ""),
    ],
    ids=["antiphase", "clipped", "infinite", "music"],
)
def test_what_is_wrong_with_the_sound_is_said(
    make_recognizer: MakeRecognizer, samples: Samples, said: str
) -> None:
    source = ScriptedSource(samples, live=False)
    source.info = replace(source.info, channels=samples.shape[1])
    engine = engine_for(make_recognizer, source, lambda _: None)
    engine.start()
    assert engine.wait(60)
    message = status_of(engine).message
    assert said in message if said else message == ""
    if said == "cancel each other":
        assert status_of(engine).level_dbfs > -30


def test_the_status_tells_what_the_source_and_the_last_estimate_say(
    make_recognizer: MakeRecognizer,
) -> None:
    class Healthy(ScriptedSource):
        @property
        def health(self) -> SourceHealth:
            return SourceHealth(xruns=3, longest_callback_ms=1.5, drift_ppm=12.0, outages=2)

    messages: list[Message] = []
    engine = engine_for(make_recognizer, Healthy(melody(1.0, RATE_HZ)), messages.append)
    engine.start()
    assert engine.wait(60)
    status = status_of(engine)
    assert (status.xruns, status.longest_callback_ms) == (3, 1.5)
    assert (status.drift_ppm, status.outages) == (12.0, 2)
    assert (status.captured, status.analysed) == (RATE_HZ, RATE_HZ)
    last = [m for m in messages if isinstance(m, Estimate)][-1]
    assert status.lag_ms == last.latency_ms > 0
