"""One run of ``mmgat-stream``: publisher, dashboard child, model, engine, and their orderly end."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from mmgat.stream.audio.devices.monitor import Monitor
from mmgat.stream.audio.inputs import Input, StreamInput, streams_of
from mmgat.stream.bus.protocol import Hello, Message, Status
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.commands.live.outputs import PRIVATE_ADDRESS, Outputs, hello_of
from mmgat.stream.commands.process.dashboard import DashboardProcess
from mmgat.stream.commands.process.logging import Stderr, configure_logging
from mmgat.stream.commands.process.signals import Interrupted, call_interruptibly, ending_signals
from mmgat.stream.commands.process.systemd import SystemdNotifier
from mmgat.stream.commands.process.warning_log import WarningLog
from mmgat.stream.control.server import ControlServer
from mmgat.stream.errors import SettingsError, SourceError, StreamError
from mmgat.stream.settings import ProgramSettings

if TYPE_CHECKING:
    from mmgat.stream.control.answers import Result
    from mmgat.stream.control.requests import Request
    from mmgat.stream.engine.controls import EngineControls
    from mmgat.stream.engine.engine import Engine
    from mmgat.stream.engine.stream import Tap
    from mmgat.stream.recognition.recognizer import Recognizer

POLL_S: Final = 0.1
WATCHDOG_STALL_S: Final = 30.0
"""Stuck for so long, the engine had better be started anew by its supervisor."""


class Session:
    """Recognises its inputs until they end, the dashboard is quit, or a signal comes.

    In one terminal the engine is the parent process and the dashboard its child: quitting the
    dashboard stops the engine, a dashboard that crashes does not, and its work never delays audio.

    Args:
        inputs: not yet probed.
        settings: of the program.
    """

    def __init__(self, inputs: Sequence[Input], settings: ProgramSettings) -> None:
        self._inputs, self._settings = list(inputs), settings
        self._engine: Engine | None = None
        self._publisher: Publisher | None = None
        self._control: ControlServer | None = None
        self._controls: EngineControls | None = None
        self._dashboard: DashboardProcess | None = None
        self._quit = threading.Event()
        self._supervisor = SystemdNotifier()
        self._warnings = WarningLog()
        self._unusable: list[str] = []

    def run(self) -> int:
        """Runs to the end; returns the exit code.

        Raises:
            StreamError, ModelError: before any audio is captured.
        """
        with ending_signals(self._quit):
            try:
                streams = self._probe()
                outputs = Outputs(self._settings, streams)
                with configure_logging(later=outputs.dashboard) as stderr:
                    return self._run(outputs, streams, stderr)
            except Interrupted:
                return 0

    def _probe(self) -> list[StreamInput]:
        """The streams of all inputs that can be used; one unusable file does not end the others.

        Raises:
            SourceError: a device cannot be used, or no file can.
        """

        def probe() -> None:
            for item in list(self._inputs):
                try:
                    item.source.probe()
                    streams_of([item])
                except SourceError as error:
                    if item.source.kind != "file":
                        raise
                    self._inputs.remove(item)
                    self._unusable.append(str(error))

        call_interruptibly(probe, self._quit)
        if not self._inputs:
            raise SourceError("\n".join(self._unusable))
        return streams_of(self._inputs)

    def _run(self, outputs: Outputs, streams: Sequence[StreamInput], stderr: Stderr) -> int:
        names, publish = ", ".join(stream.name for stream in streams), self._settings.publish
        with contextlib.ExitStack() as stack:
            stack.callback(outputs.group.close)
            stack.callback(outputs.group.release)
            outputs.group.open()
            if outputs.addresses:
                self._publisher = Publisher(
                    outputs.addresses,
                    self._statuses,
                    outputs.group.session,
                    outputs.keys,
                    insecure=publish.insecure,
                    settings=self._settings.bus,
                )
                stack.callback(self._publisher.close)
                outputs.group.add(self._publisher)
                if self._publisher.security == "none":
                    stderr.say(
                        f"{self._publisher.address}: anybody who reaches it may read, and nothing is "
                        "encrypted (--insecure)"
                    )
            if publish.control:
                self._control = ControlServer(
                    publish.control, self._answer, outputs.keys, insecure=publish.insecure
                )
                stack.callback(self._control.close)
            if outputs.dashboard and self._publisher:
                own = ControlServer(PRIVATE_ADDRESS, self._answer, noted=False)
                stack.callback(own.close)
                self._dashboard = DashboardProcess(
                    self._publisher.connect_address,
                    own.address,
                    self._settings.input.stdin,
                    stderr.descriptor,
                )
                stack.callback(self._dashboard.end)
            recognizer = call_interruptibly(self._load, self._quit)
            hello = hello_of(recognizer, streams, self._settings, self._publisher, self._control)
            outputs.group.put(hello)
            if self._publisher:
                self._publisher(hello)
            if not outputs.dashboard and not outputs.json_on_stdout:
                published = f", publishing on {self._publisher.address}" if self._publisher else ""
                model = recognizer.model
                stderr.say(f"{names}: {model.computes}, model {model.card.name}{published}")
            taps: list[Tap] = []
            if self._settings.output.monitor:
                monitor = Monitor()
                stack.callback(monitor.close)
                taps.append(monitor.on_block)
            engine = self._start(recognizer, outputs, taps)
            if self._control or self._dashboard:
                self._controls = self._make_controls(engine, recognizer, hello, outputs)
            self._supervisor.ready(names)
            self._watch(engine, outputs, stderr)
        return self._report(engine, outputs, stderr)

    def _load(self) -> Recognizer:
        """Loads the model, which takes a while, and all that runs it."""
        import mmgat.stream.engine.engine  # noqa: F401  (imported here, while a signal is heeded)
        from mmgat.model.threads import limit_threads
        from mmgat.stream.recognition.recognizer import load_recognizer

        model = self._settings.model
        recognizer = load_recognizer(model.model, self._settings.stream, model.where, model.weights)
        limit_threads(recognizer.model.embedder)
        return recognizer

    def _start(self, recognizer: Recognizer, outputs: Outputs, taps: Sequence[Tap]) -> Engine:
        from mmgat.stream.engine.engine import Engine

        self._engine = Engine(self._inputs, recognizer, outputs.group, self._settings.stream, taps)
        recognizer.warm_up(len(streams_of(self._inputs)))
        self._engine.start()
        return self._engine

    def _make_controls(
        self, engine: Engine, recognizer: Recognizer, hello: Hello, outputs: Outputs
    ) -> EngineControls:
        """What answers the requests of the control endpoint, and of this terminal's dashboard."""
        from mmgat.stream.engine.controls import EngineControls

        def announce(message: Message) -> None:
            outputs.group.put(message)
            if self._publisher and isinstance(message, Hello):
                self._publisher(message)

        hello = msgspec.structs.replace(hello, session=outputs.group.session)
        decision, card = self._settings.stream.decision, recognizer.model.card
        return EngineControls(
            engine, card, decision, hello, announce, self._publisher, self._control
        )

    def _answer(self, request: Request) -> Result:
        if self._controls is None:
            raise SettingsError("expected a running engine, found one that starts: ask again")
        return self._controls(request)

    def _watch(self, engine: Engine, outputs: Outputs, stderr: Stderr) -> None:
        """Until the engine has ended; a dashboard keeps its last picture until it is quit."""
        next_status_at = 0.0
        while not engine.wait(POLL_S):
            self._check_dashboard(stderr)
            if engine.stuck_s < WATCHDOG_STALL_S:
                self._supervisor.watchdog()
            statuses = engine.statuses()
            self._warnings.update(statuses, outputs.group.warning)
            if time.monotonic() >= next_status_at:
                next_status_at = time.monotonic() + self._settings.bus.status_s
                for status in statuses:
                    outputs.group.put(status)
            self._check_standard_output(outputs)
            if self._quit.is_set():
                self._supervisor.stopping()
                engine.stop()
        self._warnings.update(engine.statuses(), outputs.group.warning)
        while self._dashboard and not self._quit.wait(POLL_S):
            self._check_dashboard(stderr)

    def _check_dashboard(self, stderr: Stderr) -> None:
        """Quitting the dashboard quits everything, a crash of it does not."""
        if self._dashboard is None or (code := self._dashboard.exit_code) is None:
            return
        self._dashboard = None
        if code == 0:
            self._quit.set()
        else:
            stderr.say(
                f"the dashboard ended unexpectedly (exit code {code}); recognition goes on, "
                "Ctrl+C ends it"
            )

    def _check_standard_output(self, outputs: Outputs) -> None:
        """The run ends when the reader of standard output goes, or if nothing else is left."""
        if outputs.standard is None:
            return
        runner = outputs.group.runner_of(outputs.standard)
        if runner.broken or (runner.warning and outputs.standard_is_only):
            self._quit.set()

    def _report(self, engine: Engine, outputs: Outputs, stderr: Stderr) -> int:
        """Says how it went, when the terminal is free again; returns the exit code."""
        statuses = engine.statuses()
        faults = list(self._unusable)
        if isinstance(engine.error, StreamError):
            faults += [status.message for status in statuses if status.state == "failed"]
        elif engine.error:
            faults.append(f"internal fault, {type(engine.error).__name__}: {engine.error}")
        if outputs.standard_is_only and outputs.standard:
            runner = outputs.group.runner_of(outputs.standard)
            if runner.warning and not runner.broken:
                faults.append(runner.warning)
        captured = sum(status.captured for status in statuses)
        if self._settings.input.stdin and not captured and not self._quit.is_set():
            faults.append(
                "expected sound on the standard input, found its end at once: see what the program "
                "before the pipe says"
            )
        for fault in dict.fromkeys(faults):
            stderr.say(fault)
        if not outputs.json_on_stdout:
            for status in statuses:
                stderr.say(outputs.summary.closing_line(status))
        return 1 if faults else 0

    def _statuses(self) -> list[Status]:
        return self._engine.statuses() if self._engine else []
