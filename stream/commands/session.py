"""One run of ``mmgat-stream``: publisher, dashboard child, model, engine, and their orderly end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from mmgat.model.labels import LABELS
from mmgat.stream.audio.inputs import Input, StreamInput, streams_of
from mmgat.stream.audio.monitor import Monitor
from mmgat.stream.bus.protocol import Hello, ModelInfo, SourceInfo, Status
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.commands.logging import configure_logging
from mmgat.stream.commands.systemd import SystemdNotifier
from mmgat.stream.errors import SettingsError, StreamError
from mmgat.stream.recognition.decision_thresholds import decision_thresholds
from mmgat.stream.settings import ProgramSettings, RecordSettings
from mmgat.stream.sinks.console import EventPrinter, JsonLines, Summary

if TYPE_CHECKING:
    from mmgat.stream.engine.engine import Engine, Sink
    from mmgat.stream.engine.stream import Tap
    from mmgat.stream.recognition.recognizer import Recognizer
    from mmgat.stream.sinks.recorder import Recorder

Child = subprocess.Popen[bytes]
POLL_S = 0.1
WATCHDOG_STALL_S = 30.0  # stuck for so long, a supervisor had better start anew


class Session:
    """Recognises its inputs until they end, the dashboard is quit, or a signal comes.

    In one terminal the engine is the parent process and the dashboard its child: quitting the
    dashboard stops the engine, a dashboard that crashes does not, and its work never delays audio.
    """

    def __init__(self, inputs: Sequence[Input], settings: ProgramSettings) -> None:
        self.inputs, self.settings = inputs, settings
        self._address = "" if settings.publish.address == "off" else settings.publish.address
        self._jsonl = settings.output.jsonl
        self._engine: Engine | None = None
        self._quit = threading.Event()
        self._supervisor = SystemdNotifier()

    def run(self) -> int:
        """Runs to the end; returns the exit code.

        Raises:
            StreamError, ModelError: before any audio is captured.
        """
        for item in self.inputs:
            item.source.probe()
        streams = streams_of(self.inputs)
        summary = Summary()
        wants_dashboard = self._wants_dashboard()
        with contextlib.ExitStack() as stack:
            sinks: list[Sink] = [summary]
            publisher = dashboard = recorder = None
            if self.settings.record.folder:
                recorder = _recorder(self.settings.record, streams)
                stack.callback(recorder.close)
                sinks.append(recorder)
            if self._jsonl:
                json_lines = JsonLines(self._jsonl)
                stack.callback(json_lines.close)
                sinks.append(json_lines)
            if self._address:
                publisher = Publisher(self._address, self._status)
                stack.callback(publisher.close)
                sinks.append(publisher)
            stack.enter_context(self._signals())
            stack.enter_context(configure_logging(later=wants_dashboard))
            if wants_dashboard and publisher:
                dashboard = self._start_dashboard(publisher.connect_address)
                stack.callback(_end, dashboard)
            talkative = dashboard is None and self._jsonl != "-"
            if talkative:
                sinks.append(EventPrinter(named=len(streams) > 1))

            taps: list[Tap] = [recorder.on_block] if recorder else []
            if self.settings.output.monitor:
                monitor = Monitor()
                stack.callback(monitor.close)
                taps.append(monitor.on_block)
            engine, recognizer = self._prepare(sinks, taps)
            hello = self._hello(recognizer, streams)
            if publisher:
                publisher(hello)
            if recorder:
                recorder(hello)
            if talkative:
                published = f", publishing on {publisher.address}" if publisher else ""
                names = ", ".join(stream.name for stream in streams)
                model = recognizer.model
                _say(f"{names}: {model.computes}, model {model.card.name}{published}")
            if not self._quit.is_set():
                engine.start()
                self._supervisor.ready(", ".join(stream.name for stream in streams))
                self._watch(engine, dashboard, recorder)
        return self._closing_words(engine, summary)

    def _prepare(self, sinks: list[Sink], taps: list[Tap]) -> tuple[Engine, Recognizer]:
        """Loads the model, which takes seconds, and builds the engine."""
        from mmgat.model.backends.threads import limit_threads
        from mmgat.stream.engine.engine import Engine
        from mmgat.stream.recognition.recognizer import load_recognizer

        model, stream = self.settings.model, self.settings.stream
        recognizer = load_recognizer(model.model, stream, model.compute, model.weights)
        limit_threads(recognizer.model.embedder)
        self._engine = Engine(self.inputs, recognizer, sinks, stream, taps)
        return self._engine, recognizer

    def _watch(self, engine: Engine, dashboard: Child | None, recorder: Recorder | None) -> None:
        """Until the engine has ended; a dashboard keeps its last picture until it is quit."""
        while not engine.wait(POLL_S):
            dashboard = self._check(dashboard)
            if engine.stuck_s < WATCHDOG_STALL_S:
                self._supervisor.watchdog()
            if recorder:
                recorder.log_changes(engine.statuses())
            if self._quit.is_set():
                self._supervisor.stopping()
                engine.stop()
        if recorder:
            recorder.log_changes(engine.statuses())
        while dashboard and not self._quit.wait(POLL_S):
            dashboard = self._check(dashboard)

    def _check(self, dashboard: Child | None) -> Child | None:
        """None once it has ended. Quitting it quits everything, a crash does not."""
        if dashboard is None or dashboard.poll() is None:
            return dashboard
        if dashboard.returncode == 0:
            self._quit.set()
        else:
            _say(
                f"the dashboard ended unexpectedly (exit code {dashboard.returncode}); "
                "recognition goes on, Ctrl+C ends it"
            )
        return None

    def _closing_words(self, engine: Engine, summary: Summary) -> int:
        """Says how it went, when the terminal is ours again; returns the exit code."""
        if isinstance(engine.error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        if isinstance(engine.error, StreamError):
            _say(str(engine.error))
        elif engine.error:
            _say(f"internal fault, {type(engine.error).__name__}: {engine.error}")
        elif self._jsonl != "-":
            for status in engine.statuses():
                _say(self._account_of(status, summary))
        return 1 if engine.error else 0

    @staticmethod
    def _account_of(status: Status, summary: Summary) -> str:
        rate = status.sample_rate_hz
        words = (
            f"{status.source}: {status.captured / rate:.1f} s captured, "
            f"{status.analysed / rate:.1f} analysed, {status.dropped / rate:.1f} dropped, "
            f"{status.discarded / rate:.1f} discarded; heard {summary.of(status.source)}"
        )
        if 0 < status.captured < rate:
            words += "; shorter than one window of 1 s: recognised padded with silence"
        return words

    def _wants_dashboard(self) -> bool:
        """Whether it is wanted, has something to show, and a terminal to draw on and read keys."""
        if self.settings.output.no_dashboard or self._jsonl == "-" or not self._address:
            return False
        keys = sys.stdin.isatty()
        if self.settings.input.stdin:
            keys = os.access("/dev/tty", os.R_OK)
        return keys and sys.stdout.isatty() and sys.stderr.isatty()

    def _status(self) -> list[Status]:
        return self._engine.statuses() if self._engine else []

    def _hello(self, recognizer: Recognizer, streams: Sequence[StreamInput]) -> Hello:
        card = recognizer.model.card
        return Hello(
            version=version("mmgat-stream"),
            model=ModelInfo(
                name=card.name,
                version=card.version,
                embedder=card.embedder,
                variant=card.variant,
                thresholds=decision_thresholds(card, self.settings.stream.decision),
                unverified=list(card.unverified),
            ),
            labels=list(LABELS),
            sources=[
                SourceInfo(
                    name=stream.name,
                    kind=stream.source.kind,
                    sample_rate_hz=stream.source.sample_rate_hz,
                    channels=stream.n_channels,
                )
                for stream in streams
            ],
            hop_s=self.settings.stream.hop_s,
            nodes=self.settings.stream.nodes,
            compute=recognizer.model.backend.device,
        )

    def _start_dashboard(self, address: str) -> Child:
        command = [sys.executable, "-P", "-m", "mmgat.stream.dashboard", "--connect", address]
        piped = any(item.source.kind == "stdin" for item in self.inputs)
        terminal = Path("/dev/tty") if piped else None
        with terminal.open("rb") if terminal else contextlib.nullcontext() as stdin:
            return subprocess.Popen(command, stdin=stdin)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def quit_(_number: int, _frame: FrameType | None) -> None:
            self._quit.set()
            if self._engine is None:  # loading, which takes seconds and asks nobody
                raise KeyboardInterrupt

        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, quit_) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)


def _recorder(settings: RecordSettings, streams: Sequence[StreamInput]) -> Recorder:
    """Imports late: most runs keep nothing.

    Raises:
        SettingsError: the folder is no use, or a stream has more channels than a recording holds.
    """
    from mmgat.stream.sinks.recorder import Recorder
    from mmgat.stream.sinks.recording_folder import MAX_CHANNELS, RecordingFolder

    for stream in streams:
        if (found := stream.n_channels) > MAX_CHANNELS:
            raise SettingsError(
                f"expected at most {MAX_CHANNELS} channels to record, found {found} of "
                f"{stream.name!r}: choose some with --channels or --split"
            )
    return Recorder(RecordingFolder(settings), settings)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _end(child: Child) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(2)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
