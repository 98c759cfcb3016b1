"""From the settings to the outputs of a run: publisher, recorder, JSON lines, console, plug-ins."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mmgat.model.labels import LABELS
from mmgat.stream.audio.inputs import StreamInput
from mmgat.stream.bus.access.keys import ServerKeys
from mmgat.stream.bus.protocol import Hello, ModelInfo, SourceInfo
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.control.server import ControlServer
from mmgat.stream.errors import SettingsError
from mmgat.stream.recognition.decision_thresholds import decision_thresholds
from mmgat.stream.settings import ProgramSettings, RecordSettings
from mmgat.stream.sinks.base import Sink
from mmgat.stream.sinks.console import EventPrinter
from mmgat.stream.sinks.group import SinkGroup
from mmgat.stream.sinks.jsonl import JsonLines
from mmgat.stream.sinks.summary import Summary

if TYPE_CHECKING:
    from mmgat.stream.recognition.recognizer import Recognizer

PRIVATE_ADDRESS: Final = "ipc://*"
"""A socket in a new folder that only this user can enter."""


class Outputs:
    """The sinks that the settings name.

    Args:
        settings: of the program.
        streams: probed.

    Attributes:
        group: all of them.
        summary: adds up for the closing lines.
        standard: the one that writes to standard output, or None; without its reader the run ends.
        addresses: to publish on; the dashboard of this terminal has one of its own where it needs no
            key, or where nobody else is to listen.
        keys: that readers need, or None.
        dashboard: whether one is to run in this terminal.
        json_on_stdout: nothing but JSON lines goes to standard output.

    Raises:
        SettingsError: a plug-in or the recording folder is no use.
    """

    def __init__(self, settings: ProgramSettings, streams: Sequence[StreamInput]) -> None:
        output = settings.output
        self.json_on_stdout = output.jsonl == "-"
        wanted = not output.no_dashboard and not self.json_on_stdout
        self.dashboard = wanted and _has_terminal(stdin_is_audio=settings.input.stdin)
        publish = settings.publish
        self.keys = _keys(publish.key, publish.clients)
        self.addresses = [] if publish.address == "off" else [publish.address]
        if self.dashboard and (self.keys or not self.addresses):
            self.addresses.append(PRIVATE_ADDRESS)
        self.summary = Summary()
        self.standard: Sink | None = None
        self.group = SinkGroup([self.summary], output.queue_messages)
        if settings.record.folder:
            self.group.add(_recorder(settings.record, streams))
        if output.jsonl:
            json_lines = JsonLines(output.jsonl)
            self.group.add(json_lines, ends_run=self.json_on_stdout)
            if self.json_on_stdout:
                self.standard = json_lines
        for text in output.sink:
            from mmgat.stream.plugins import load_sink

            self.group.add(load_sink(text))
        if not self.dashboard and not self.json_on_stdout:
            self.standard = EventPrinter(with_source=len(streams) > 1)
            self.group.add(self.standard, ends_run=True)

    @property
    def standard_is_only(self) -> bool:
        """Whether results go nowhere but to standard output, as JSON lines."""
        n_without_results = 2  # the summary, and standard output itself
        return (
            self.json_on_stdout
            and not self.addresses
            and len(self.group.runners) == n_without_results
        )


def hello_of(
    recognizer: Recognizer,
    streams: Sequence[StreamInput],
    settings: ProgramSettings,
    publisher: Publisher | None,
    control: ControlServer | None,
) -> Hello:
    """What a run says of itself before anything else."""
    card = recognizer.model.card
    return Hello(
        version=version("mmgat-stream"),
        model=ModelInfo(
            name=card.name,
            version=card.version,
            embedder=card.embedder,
            variant=card.variant,
            thresholds=decision_thresholds(card, settings.stream.decision),
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
        hop_s=settings.stream.hop_s,
        nodes=settings.stream.nodes,
        compute=recognizer.model.backend.device,
        host=socket.gethostname(),
        security=publisher.security if publisher else "",
        control=control.address if control else "",
    )


def _keys(own: Path | None, clients: Path | None) -> ServerKeys | None:
    if own is None and clients is None:
        return None
    if own is None or clients is None:
        raise SettingsError(
            "expected --key and --clients together, found one: the engine needs its own key, and a "
            "folder with the public keys of its readers"
        )
    return ServerKeys.read(own, clients)


def _has_terminal(stdin_is_audio: bool) -> bool:
    """Whether a dashboard can draw and read keys."""
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        return False
    keys = os.access("/dev/tty", os.R_OK) if stdin_is_audio else sys.stdin.isatty()
    return keys and sys.stdout.isatty() and sys.stderr.isatty()


def _recorder(settings: RecordSettings, streams: Sequence[StreamInput]) -> Sink:
    """Imports late: most runs keep nothing.

    Raises:
        SettingsError: the folder is no use, or a recording cannot hold a stream's channels or rate.
    """
    from mmgat.stream.sinks.recorder import Recorder
    from mmgat.stream.sinks.recording_folder import MAX_CHANNELS, RecordingFolder, holds_rate

    for stream in streams:
        if (found := stream.n_channels) > MAX_CHANNELS:
            raise SettingsError(
                f"expected at most {MAX_CHANNELS} channels to record, found {found} of "
                f"{stream.name!r}: choose some with --channels or --split"
            )
        if not holds_rate(rate_hz := stream.source.sample_rate_hz):
            raise SettingsError(
                f"expected a rate to record that FLAC holds, found {rate_hz} Hz of {stream.name!r}: "
                "choose 44100, 48000, 96000 or 192000 Hz, or leave out --record"
            )
    return Recorder(RecordingFolder(settings), settings)
