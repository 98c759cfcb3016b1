"""One run of ``mmgat-stream``: publisher, dashboard child, model, engine, and their orderly end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from model.labels import LABELS
from stream.console import EventPrinter, JsonLines, Summary
from stream.errors import StreamError
from stream.protocol import Hello, ModelInfo, SourceInfo, Status
from stream.publisher import Publisher
from stream.settings import DEFAULT_ADDRESS, StreamSettings
from stream.sources import AudioSource

if TYPE_CHECKING:
    from stream.engine import Engine
    from stream.recognizer import Recognizer

POLL_S = 0.1


@dataclass(frozen=True)
class SessionOptions:
    """What a run does besides recognising.

    Attributes:
        model, weights, compute: as for ``load_recognizer``.
        publish: address to bind, or "" for none.
        jsonl: path for JSON lines, ``-`` for standard output, "" for none.
        dashboard: show it in this terminal.
    """

    model: str = "compact"
    weights: Path | None = None
    compute: str = "auto"
    publish: str = DEFAULT_ADDRESS
    jsonl: str = ""
    dashboard: bool = False


class Session:
    """Recognises one source until it ends, the dashboard is quit, or a signal comes.

    In one terminal the engine is the parent process and the dashboard its child: quitting the
    dashboard stops the engine, a dashboard that crashes does not, and its work never delays audio.
    """

    def __init__(
        self, source: AudioSource, settings: StreamSettings, options: SessionOptions
    ) -> None:
        self.source, self.settings, self.options = source, settings, options
        self._engine: Engine | None = None
        self._quit = threading.Event()

    def run(self) -> int:
        """Runs to the end; returns the exit code.

        Raises:
            StreamError, ModelError: before any audio is captured.
        """
        self.source.probe()
        with contextlib.ExitStack() as stack:
            jsonl = None
            if self.options.jsonl:
                jsonl = JsonLines(self.options.jsonl)
                stack.callback(jsonl.close)
            publisher = None
            if self.options.publish:
                publisher = Publisher(self.options.publish, self._status)
                stack.callback(publisher.close)
            stack.enter_context(self._signals())
            child = None
            if self.options.dashboard and publisher:
                child = self._start_dashboard(publisher.connect_address)
                stack.callback(_end, child)
            quiet = child is not None or self.options.jsonl == "-"

            from stream.engine import Engine, Sink
            from stream.pipeline import Pipeline
            from stream.recognizer import load_recognizer

            recognizer, where = load_recognizer(
                self.options.model, self.settings, self.options.compute, self.options.weights
            )
            source = self.source
            pipeline = Pipeline(
                recognizer, source.name, source.sample_rate_hz, self.settings, source.live
            )
            summary = Summary()
            sinks: list[Sink] = [summary]
            if publisher:
                sinks.append(publisher)
                publisher(self._hello(recognizer))
            if jsonl:
                sinks.append(jsonl)
            if not quiet:
                sinks.append(EventPrinter())
                published = f", publishing on {publisher.address}" if publisher else ""
                self._say(f"{source.name}: {where}, model {recognizer.card.name}{published}")
            engine = self._engine = Engine(source, pipeline, sinks, self.settings)
            if not self._quit.is_set():
                engine.start()
                self._wait(engine, child)
            code = self._closing_words(engine, summary, quiet=quiet and child is None)
            if child and code == 0:
                self._wait_for(child)
        return code

    def _wait(self, engine: Engine, child: subprocess.Popen[bytes] | None) -> None:
        while not engine.wait(POLL_S):
            if child and child.poll() is not None:
                if child.returncode == 0:
                    self._quit.set()
                else:
                    self._say(
                        f"the dashboard ended unexpectedly (exit code {child.returncode}); "
                        "recognition goes on, Ctrl+C ends it"
                    )
                child = None
            if self._quit.is_set():
                engine.stop()

    def _wait_for(self, child: subprocess.Popen[bytes]) -> None:
        """A file has ended: its last picture stays until the dashboard is quit."""
        while not self._quit.is_set() and child.poll() is None:
            self._quit.wait(POLL_S)

    def _closing_words(self, engine: Engine, summary: Summary, quiet: bool) -> int:
        if isinstance(engine.error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        if isinstance(engine.error, StreamError):
            self._say(str(engine.error))
        elif engine.error:
            self._say(f"internal fault, {type(engine.error).__name__}: {engine.error}")
        elif not quiet:
            account, rate = engine.account, self.source.sample_rate_hz
            self._say(
                f"{account.captured / rate:.1f} s captured, {account.analysed / rate:.1f} analysed, "
                f"{account.dropped / rate:.1f} dropped, {account.discarded / rate:.1f} discarded; "
                f"heard {summary}"
            )
            if 0 < account.captured < rate:
                self._say("shorter than one window of 1 s: recognised padded with silence")
        return 1 if engine.error else 0

    def _status(self) -> list[Status]:
        return [self._engine.status()] if self._engine else []

    def _hello(self, recognizer: Recognizer) -> Hello:
        card, source = recognizer.card, self.source
        return Hello(
            version=version("mmgat-stream"),
            model=ModelInfo(
                name=card.name,
                version=card.version,
                embedder=card.embedder,
                variant=card.variant,
                thresholds=card.thresholds,
                unverified=list(card.unverified),
            ),
            labels=list(LABELS),
            sources=[
                SourceInfo(
                    name=source.name,
                    kind=source.kind,
                    sample_rate_hz=source.sample_rate_hz,
                    channels=source.channels,
                )
            ],
            hop_s=self.settings.hop_s,
            nodes=self.settings.nodes,
            compute=str(recognizer.device),
        )

    def _start_dashboard(self, address: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "stream.dashboard", "--connect", address]
        terminal = Path("/dev/tty") if self.source.kind == "stdin" else None
        with terminal.open("rb") if terminal else contextlib.nullcontext() as stdin:
            return subprocess.Popen(command, stdin=stdin)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def quit_(_number: int, _frame: FrameType | None) -> None:
            self._quit.set()

        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, quit_) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)

    @staticmethod
    def _say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(2)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
