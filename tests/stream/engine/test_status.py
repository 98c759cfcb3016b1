"""What a status says of a stream: every field, and the most pressing fault in words."""

from __future__ import annotations

import itertools
import math
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import mmgat.stream.engine.engine as engines
from mmgat.stream.audio.inputs import Input
from mmgat.stream.audio.liveness import LivenessState
from mmgat.stream.audio.source import AudioSource, Block, SourceHealth
from mmgat.stream.bus.protocol import Message, Status
from mmgat.stream.engine.engine import Engine
from mmgat.stream.errors import SourceError
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings
from mmgat.stream.sinks.base import Sink
from mmgat.stream.sinks.group import SinkGroup
from tests.conftest import Samples, melody, untrained_model
from tests.stream.engine.test_engine import RATE_HZ, ScriptedSource

SETTINGS = StreamSettings(hop_s=0.5, nodes=3, warn_stalled_s=3.0, warn_zeros_s=2.0)


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer(untrained_model(), SETTINGS)


class Source(ScriptedSource):
    """Says of itself what a test wants, and remembers the device that it is switched to."""

    def __init__(
        self, samples: Samples, name: str = "mic", kind: str = "device", **health: Any
    ) -> None:
        super().__init__(samples, live=False)
        AudioSource.__init__(self, name, kind, RATE_HZ, samples.shape[1])
        self.said = SourceHealth(**health)

    @property
    def health(self) -> SourceHealth:
        return self.said

    def switch(self, device: str) -> None:
        self.device = device


def ended(recognizer: Recognizer, source: Source, *sinks: Any, now: float = 100.0) -> Engine:
    """An engine that has heard it all, on a clock that stands still."""
    clock = [now]
    engine = Engine([Input(source)], recognizer, sinks, SETTINGS, clock=lambda: clock[0])
    engine.start()
    assert engine.wait(60)
    engine.clock = clock  # type: ignore[attr-defined]
    return engine


def status_of(engine: Engine) -> Status:
    (status,) = engine.statuses()
    return status


def test_a_status_has_what_the_source_and_the_stages_count(recognizer: Recognizer) -> None:
    samples = melody(3.0, RATE_HZ, channels=2)
    samples[100, 0], samples[200:202, 1], samples[300, 1] = np.nan, 1.5, -1.0
    source = Source(
        samples, xruns=3, longest_callback_ms=1.5, drift_ppm=-7.0, outages=2, lost_s=0.25,
        liveness=LivenessState.RECOVERING, capture_ms=12.0,
    )  # fmt: skip
    engine = ended(recognizer, source)
    engine.clock[0] += 7.5  # type: ignore[attr-defined]
    status = status_of(engine)
    assert (status.source, status.state, status.sample_rate_hz) == ("mic", "ended", RATE_HZ)
    assert (status.captured, status.analysed) == (48_000, 48_000)
    assert (status.dropped, status.discarded, status.queued) == (0, 0, 0)
    assert status.windows == 6
    assert (status.xruns, status.outages, status.lost_s) == (3, 2, 0.25)
    assert (status.longest_callback_ms, status.drift_ppm, status.capture_ms) == (1.5, -7.0, 12.0)
    assert status.liveness is LivenessState.RECOVERING
    assert status.uptime_s == 7.5
    assert status.nonfinite == 1
    assert status.clipped == 3
    assert status.clipped_channels == [0, 3]
    assert status.levels_dbfs == [-17.4, -17.4]  # to a tenth
    assert status.level_dbfs == pytest.approx(-17.4, abs=0.1)
    assert status.real_time_factor > 0
    assert status.paused is False
    assert status.sinks_dropped == {}
    assert status.message == "1 NaN or infinite samples replaced by zero"


class Failing(Sink):
    name = "lab"

    def __init__(self) -> None:
        self.n_given = 0

    def handle(self, message: Message) -> None:
        self.n_given += 1
        raise OSError(28, "No space left on device")


def test_what_an_output_loses_is_counted_and_told(recognizer: Recognizer) -> None:
    sink = Failing()
    status = status_of(ended(recognizer, Source(melody(2.0, RATE_HZ)), sink))
    assert sink.n_given > status.windows
    assert status.sinks_dropped == {"lab": sink.n_given}
    assert status.message == "output lab fails: No space left on device"


def test_an_output_that_hears_gets_every_block_that_is_analysed(recognizer: Recognizer) -> None:
    class Ear(Sink):
        wants_audio = lossless = True
        heard: list[Any]

        def open(self) -> None:
            self.heard = []

        def handle(self, message: Message) -> None: ...

        def handle_audio(self, stream: str, rate_hz: int, live: bool, block: Block) -> None:
            assert (stream, rate_hz, live) == ("mic", RATE_HZ, False)
            self.heard.append(block.samples)

    ear, samples = Ear(), melody(1.0, RATE_HZ)
    ended(recognizer, Source(samples), ear)
    np.testing.assert_array_equal(np.concatenate(ear.heard), samples)


@pytest.mark.parametrize("live", [False, True])
def test_a_file_waits_for_an_output_that_may_lose_nothing_and_a_device_does_not(
    recognizer: Recognizer, live: bool
) -> None:
    class Slow(Sink):
        lossless = True

        def handle(self, message: Message) -> None:
            threading.Event().wait(0.005)

    source = Source(melody(4.0, RATE_HZ))
    source.live = live
    engine = Engine([Input(source)], recognizer, SinkGroup([Slow()], max_messages=1), SETTINGS)
    engine.start()
    assert engine.wait(60)
    assert bool(status_of(engine).sinks_dropped) is live


@pytest.mark.parametrize(
    ("health", "message"),
    [
        ({"warning": "the cable is loose"}, "the cable is loose"),
        ({"last_poll_at": 96.0}, "the audio system has not answered for 4 s"),
        ({"last_poll_at": 97.0}, ""),
        ({"last_poll_at": 96.0, "warning": "loose"}, "the audio system has not answered for 4 s"),
    ],
)
def test_a_sources_fault_is_told(recognizer: Recognizer, health: Any, message: str) -> None:
    engine = ended(recognizer, Source(melody(1.0, RATE_HZ), **health))
    assert status_of(engine).message == message
    assert engine.stuck_s == (100.0 - health["last_poll_at"] if "last_poll_at" in health else 0.0)


def test_a_source_that_fails_is_told_before_all_else(recognizer: Recognizer) -> None:
    class Torn(Source):
        def read(self) -> Any:
            raise SourceError("expected sound, found a torn tape")

    status = status_of(ended(recognizer, Torn(melody(1.0, RATE_HZ), warning="loose")))
    assert (status.state, status.message) == ("failed", "expected sound, found a torn tape")


@pytest.mark.parametrize(("share", "words"), [(0.3, "30% of"), (0.001, "0.1% of"), (0.0, "")])
def test_what_was_dropped_is_told_in_per_cent(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch, share: float, words: str
) -> None:
    engine = ended(recognizer, Source(melody(1.0, RATE_HZ)))
    monkeypatch.setattr(engine._streams[0]._drop_rate, "update", lambda *_: share)
    status = status_of(engine)
    assert status.lost_share == share
    assert status.message.startswith(words)
    assert ("use a longer --hop" in status.message) is (share == 0.3)


def test_a_fault_of_the_recogniser_is_told_if_nothing_else_is(recognizer: Recognizer) -> None:
    class Warning_(Recognizer):
        @property
        def warning(self) -> str:
            return "the GPU is gone"

    engine = ended(Warning_(recognizer.model, SETTINGS), Source(melody(1.0, RATE_HZ)))
    assert status_of(engine).message == "the GPU is gone"
    engine = ended(
        Warning_(recognizer.model, SETTINGS), Source(melody(1.0, RATE_HZ), warning="loose")
    )
    assert status_of(engine).message == "loose"


def test_a_device_that_gives_zeros_is_told_and_a_file_is_not(recognizer: Recognizer) -> None:
    source = Source(np.zeros((3 * RATE_HZ, 1), np.float32))
    assert status_of(ended(recognizer, source)).message.startswith("nothing but zeros for 3 s")
    quiet = Source(np.zeros((3 * RATE_HZ, 1), np.float32), kind="file")
    assert status_of(ended(recognizer, quiet)).message == ""


def test_another_device_is_for_the_source_of_the_stream_that_is_named(
    recognizer: Recognizer,
) -> None:
    desk, hall = (Source(melody(0.5, RATE_HZ, channels=2), name) for name in ("desk", "hall"))
    inputs = [Input(desk, split_channels=(1, 2)), Input(hall)]
    engine = Engine(inputs, recognizer, [], SETTINGS)
    names = list(engine.devices)
    assert engine.switch(names[0], "Scarlett") == names[:2]
    assert engine.devices == dict(zip(names, ["Scarlett", "Scarlett", ""], strict=True))
    assert engine.switch("hall", "Hall mic") == ["hall"]
    assert (desk.device, hall.device) == ("Scarlett", "Hall mic")


def test_pausing_a_stream_leaves_the_others(recognizer: Recognizer) -> None:
    sources = [Source(melody(0.5, RATE_HZ), name) for name in ("desk", "hall")]
    engine = Engine([Input(source) for source in sources], recognizer, [], SETTINGS)
    engine.set_paused("hall", True)
    assert engine.paused == {"desk": False, "hall": True}
    engine.set_paused("hall", False)
    assert engine.paused == {"desk": False, "hall": False}


def test_an_engine_that_has_not_ended_runs_and_may_be_waited_for_a_moment(
    recognizer: Recognizer,
) -> None:
    engine = Engine([Input(Source(melody(0.5, RATE_HZ)))], recognizer, [], SETTINGS)
    assert not engine.wait(0)
    assert status_of(engine).state == "running"


def test_an_engine_that_has_not_begun_is_not_stuck_and_keeps_no_process_alive(
    recognizer: Recognizer,
) -> None:
    engine = Engine([Input(Source(melody(0.5, RATE_HZ)))], recognizer, [], SETTINGS)
    assert engine.stuck_s == 0.0
    assert all(thread.daemon for thread in [*engine._captures, engine._analysis])


def test_a_device_that_does_not_close_is_left_behind_after_a_stop(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    closes = threading.Event()

    class Stuck(Source):
        def close(self) -> None:
            closes.wait(60)

    monkeypatch.setattr(engines, "SHUTDOWN_TIMEOUT_S", 0.01)
    engine = Engine([Input(Stuck(melody(0.5, RATE_HZ)))], recognizer, [], SETTINGS)
    engine.stop()
    engine.start()
    assert engine.wait(30)
    assert engine._captures[0].is_alive()
    closes.set()
    engine._captures[0].join(30)


def test_what_waits_at_a_stop_is_discarded(recognizer: Recognizer) -> None:
    engine = Engine([Input(Source(melody(0.5, RATE_HZ)))], recognizer, [], SETTINGS)
    queue = engine._streams[0].queue
    queue.put(Block(0, np.zeros((800, 1), np.float32), 0.0))
    engine.stop()
    account = queue.account
    assert (account.captured, account.discarded, account.queued) == (800, 800, 0)


def test_the_real_time_factor_is_the_time_that_a_second_of_sound_takes(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every half second takes a tenth here; the mean forgets with a time constant of two seconds."""
    ticks = itertools.count()
    monkeypatch.setattr(engines, "time", SimpleNamespace(perf_counter=lambda: 0.1 * next(ticks)))
    status = status_of(ended(recognizer, Source(melody(3.0, RATE_HZ))))
    assert status.real_time_factor == pytest.approx(0.2 * (1 - math.exp(-3.0 / 2)))
