"""A sink that is slow, fails or hangs costs its own messages and nothing else."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mmgat.stream.sinks.runner as runners
from mmgat.stream.audio.source import Block
from mmgat.stream.bus.protocol import Estimate, Event, Graph, Hello, Message
from mmgat.stream.errors import SettingsError
from mmgat.stream.sinks.base import Sink
from mmgat.stream.sinks.group import SinkGroup
from mmgat.stream.sinks.jsonl import JsonLines
from mmgat.stream.sinks.runner import MAX_AUDIO_BYTES, SinkRunner
from mmgat.stream.sinks.text import LineWriter, printable

WAIT_S = 60.0


def estimate(index: int) -> Estimate:
    return Estimate(
        source="lab", index=index, t0=index, t1=index + 1, scores={}, bag_scores={},
        active=[], evidence={}, evidence_t0=[], level_dbfs=-20,
    )  # fmt: skip


def event(label: str) -> Event:
    return Event(
        source="lab", event="on", id=label, label=label, time_s=0, onset_s=0, score=0.9
    )  # fmt: skip


class Gated(Sink):
    """Takes messages while its gate is open, and remembers them."""

    name = "gated"

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.taken: list[object] = []
        self.closed = 0

    def handle(self, message: Message) -> None:
        self.entered.set()
        assert self.gate.wait(WAIT_S)
        self.taken.append(message.index if isinstance(message, Estimate) else message.label)  # type: ignore[attr-defined]

    def close(self) -> None:
        self.closed += 1


class Lossless(Gated):
    lossless = True


def started(sink: Sink, max_messages: int = 3) -> SinkRunner:
    runner = SinkRunner(sink, max_messages)
    runner.open()
    return runner


def finish(runner: SinkRunner) -> None:
    runner.close()
    assert runner.join(None)


def test_messages_arrive_in_order_and_the_sink_is_closed_once() -> None:
    sink = Gated()
    sink.gate.set()
    runner = started(sink, 100)
    for index in range(50):
        runner.put(estimate(index))
    finish(runner)
    assert sink.taken == list(range(50))
    assert (sink.closed, runner.dropped) == (1, 0)


def test_a_slow_sink_loses_the_oldest_estimates_and_no_event() -> None:
    sink = Gated()
    runner = started(sink)
    runner.put(estimate(0))
    assert sink.entered.wait(WAIT_S)
    for message in (event("piano"), estimate(1), estimate(2), estimate(3), event("flute")):
        runner.put(message)
    sink.gate.set()
    finish(runner)
    assert sink.taken == [0, "piano", 3, "flute"]
    assert runner.dropped == 2


def test_a_source_that_can_wait_waits_for_a_lossless_sink() -> None:
    sink = Lossless()
    runner = started(sink, 2)

    def play() -> None:
        for index in range(20):
            runner.put(estimate(index), wait=True)

    player = threading.Thread(target=play)
    player.start()
    assert sink.entered.wait(WAIT_S)
    assert player.is_alive()
    sink.gate.set()
    player.join(WAIT_S)
    finish(runner)
    assert sink.taken == list(range(20))
    assert runner.dropped == 0


def test_nobody_waits_after_the_end_was_asked_for() -> None:
    sink = Lossless()
    runner = started(sink, 1)
    runner.put(estimate(0))
    assert sink.entered.wait(WAIT_S)
    runner.release()
    for index in range(1, 10):
        runner.put(estimate(index), wait=True)
    assert runner.dropped == 8
    sink.gate.set()
    finish(runner)
    assert sink.taken == [0, 9]


def test_audio_beyond_the_bound_is_dropped_and_counted() -> None:
    class Recorder(Gated):
        wants_audio = True

        def handle_audio(self, stream: str, rate_hz: int, live: bool, block: Block) -> None:
            self.taken.append(block.position)

    sink = Recorder()
    runner = started(sink)
    runner.put(estimate(0))
    assert sink.entered.wait(WAIT_S)
    half = np.zeros((MAX_AUDIO_BYTES // 8, 1), np.float32)
    for position in range(4):
        runner.put_audio("lab", 48_000, True, Block(position, half, 0.0), wait=False)
    sink.gate.set()
    finish(runner)
    assert sink.taken == [0, 0, 1]
    assert (runner.dropped, runner.dropped_s) == (0, 2 * len(half) / 48_000)


def test_a_block_that_is_refused_is_sound_lost_and_no_message() -> None:
    class Full(Gated):
        wants_audio = True

        def handle_audio(self, stream: str, rate_hz: int, live: bool, block: Block) -> None:
            raise OSError(28, "No space left on device")

    runner = started(Full())
    runner.put_audio("lab", 16_000, True, Block(0, np.zeros((4_000, 2), np.float32), 0.0), False)
    finish(runner)
    assert (runner.dropped, runner.dropped_s) == (0, 0.25)


def test_a_fault_costs_its_message_is_warned_of_once_and_heals(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "CALM_S", 0.0)

    class Full(Gated):
        def handle(self, message: Message) -> None:
            if isinstance(message, Estimate) and message.index < 2:
                raise OSError(28, "No space left on device")
            super().handle(message)

    sink = Full()
    sink.gate.set()
    runner = started(sink, 100)
    for index in range(4):
        runner.put(estimate(index))
    finish(runner)
    assert sink.taken == [2, 3]
    assert runner.dropped == 2
    assert runner.warning == ""
    assert [record.getMessage() for record in caplog.records] == [
        "output gated fails: No space left on device; recognition goes on",
        "output gated works again; 2 messages were lost",
    ]


def test_a_fault_that_comes_and_goes_is_one_warning_in_the_words_of_the_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Flickering(Gated):
        def handle(self, message: Message) -> None:
            if isinstance(message, Estimate) and message.index % 2:
                raise OSError("the disk of 'clips' is full")
            super().handle(message)

    sink = Flickering()
    sink.gate.set()
    runner = started(sink, 100)
    for index in range(9):
        runner.put(estimate(index))
    finish(runner)
    assert runner.dropped == 4
    assert [record.getMessage() for record in caplog.records] == [
        "output gated fails: the disk of 'clips' is full; recognition goes on"
    ]


def test_a_reader_that_has_gone_ends_the_sink_alone() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    class Pipe(Gated):
        def handle(self, message: Message) -> None:
            self.taken.append("tried")
            os.write(writing, b"x")

    other = Gated()
    other.gate.set()
    group = SinkGroup([pipe := Pipe(), other])
    group.open()
    for index in range(5):
        group.put(estimate(index))
    group.close()
    os.close(writing)
    assert group.runner_of(pipe).broken
    assert pipe.taken == ["tried"]
    assert other.taken == list(range(5))
    assert group.dropped == {"gated": 5}
    assert "Broken pipe" in group.warning


def test_a_sink_gets_the_types_it_wants_and_a_function_estimates_and_events() -> None:
    class Hellos(Gated):
        wants = (Hello,)

    got: list[Message] = []
    sink = Hellos()
    sink.gate.set()
    group = SinkGroup([sink, got.append])
    group.open()
    group.put(estimate(0))
    group.put(event("piano"))
    group.close()
    assert sink.taken == []
    assert [type(message) for message in got] == [Estimate, Event]


def test_a_sink_that_hangs_does_not_keep_the_end_waiting() -> None:
    sink = Gated()
    group = SinkGroup([sink])
    group.open()
    group.put(estimate(0))
    assert sink.entered.wait(WAIT_S)
    group.release()
    group.close()  # comes back although the sink has not
    assert sink.closed == 0
    sink.gate.set()


def test_what_another_package_raises_on_opening_is_told_with_the_sinks_name() -> None:
    class Unlucky(Gated):
        name = "lamp"

        def open(self) -> None:
            raise RuntimeError("no bulb")

    with pytest.raises(SettingsError, match="output lamp to open, found RuntimeError: no bulb"):
        SinkGroup([Unlucky()]).open()


def test_sinks_of_one_name_are_numbered() -> None:
    group = SinkGroup([Gated(), Gated(), Gated()])
    assert [r.sink.name for r in group.runners] == ["gated", "gated (2)", "gated (3)"]


def test_a_line_cut_off_by_a_full_disk_is_ended_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write: Callable[[int, memoryview], int] = os.write
    left = [6]

    def write(descriptor: int, data: memoryview) -> int:
        if left and left[0] == 0:
            left.clear()
            raise OSError(28, "No space left on device")
        taken = real_write(descriptor, data[: left[0]] if left else data)
        if left:
            left[0] -= taken
        return taken

    writer = LineWriter.to_file(path := tmp_path / "log")
    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space"):
        writer.write("0123456789")
    writer.write("whole")
    writer.close()
    assert path.read_text() == "012345\nwhole\n"


def test_escape_sequences_in_names_never_reach_a_terminal() -> None:
    assert printable("mic\x1b[2J\x9b1m é\tx") == "mic\\x1b[2J\\x9b1m é\tx"


def test_json_lines_to_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="expected a file to write JSON lines to"):
        JsonLines(str(tmp_path)).open()


def test_a_group_gives_each_sink_a_queue_of_the_asked_length() -> None:
    sink = Gated()
    group = SinkGroup([sink], max_messages=2)
    group.open()
    group.put(estimate(0))
    assert sink.entered.wait(WAIT_S)
    for index in range(1, 6):
        group.put(estimate(index))
    assert group.dropped == {"gated": 3}
    sink.gate.set()
    group.close()
    assert sink.taken == [0, 4, 5]


def test_only_an_output_that_wants_graphs_gets_them() -> None:
    taken: list[tuple[str, type]] = []

    def plain(message: Message) -> None:
        taken.append(("plain", type(message)))

    def wanting(message: Message) -> None:
        taken.append(("wanting", type(message)))

    wanting.wants_graph = True  # type: ignore[attr-defined]
    graph = Graph(source="lab", index=0, times_s=[], similarity=[], neighbours={})
    assert not SinkGroup([plain]).wants_graph
    group = SinkGroup([plain, wanting])
    assert group.wants_graph
    group.put(graph)
    assert taken == [("wanting", Graph)]


def test_after_the_end_every_message_and_block_counts_as_lost() -> None:
    sink = Gated()
    sink.wants_audio = True
    sink.gate.set()
    runner = started(sink)
    finish(runner)
    runner.put(estimate(0))
    runner.put(estimate(1))
    block = Block(0, np.zeros((16_000, 1), np.float32), 0.0)
    runner.put_audio("lab", 16_000, True, block, wait=False)
    assert (runner.dropped, runner.dropped_s) == (2, 1.0)
