"""Looks at the account of samples again and again while each kind of source is heard.

    python -m tools.balance

Kinds: a file at full speed, a file at the pace of its sound, a pipe, and a device (a PulseAudio server
of its own, where there is one). Every millisecond the account and the status of the stream are taken;
each must balance, captured = analysed + dropped + discarded + queued. Exit code 1 if one does not.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import soundfile

from mmgat.stream.audio.inputs import Input
from mmgat.stream.audio.source import AudioSource
from mmgat.stream.commands.live.inputs import demo_clip
from mmgat.stream.engine.engine import Engine
from mmgat.stream.recognition.recognizer import load_recognizer
from mmgat.stream.settings import StreamSettings
from tools.pulse import environment_of, start_server

if TYPE_CHECKING:
    from mmgat.stream.recognition.recognizer import Recognizer

LOOK_S: Final = 0.001
LONGEST_S: Final = 6.0
"""Sources that go at the pace of sound are heard so long (seconds)."""


def watched(source: AudioSource, recognizer: Recognizer) -> tuple[int, int]:
    """Hears a source and returns how many accounts were looked at, and how many did not balance."""
    engine = Engine([Input(source)], recognizer, [lambda _: None], StreamSettings())
    until = time.monotonic() + (LONGEST_S if source.live else 600)
    looked = broken = 0
    engine.start()
    while not engine.wait(LOOK_S):
        (status,), (account,) = engine.statuses(), engine.accounts.values()
        parts = status.analysed + status.dropped + status.discarded + status.queued
        looked += 2
        broken += (not account.balanced) + (status.captured != parts)
        if time.monotonic() > until:
            engine.stop()
    if engine.error:
        raise engine.error
    return looked, broken


def _file(paced: bool) -> AudioSource:
    from mmgat.stream.audio.file import FileSource

    return FileSource(demo_clip(), paced)


def _pipe() -> AudioSource:
    """The demo's samples through a pipe of this process, as fast as they are taken."""
    from mmgat.stream.audio.stdin import StdinSource

    samples, rate_hz = soundfile.read(demo_clip(), dtype="int16", always_2d=True)
    reads, writes = os.pipe()

    def write() -> None:
        with os.fdopen(writes, "wb") as file:
            file.write(samples.tobytes())

    threading.Thread(target=write, daemon=True).start()
    return StdinSource(rate_hz, samples.shape[1], "s16le", reads)


def _device() -> AudioSource:
    from mmgat.stream.audio.devices.device import DeviceSource
    from mmgat.stream.audio.reconnect import ReconnectingSource

    return ReconnectingSource(DeviceSource("pulse, ALSA"))


KINDS: Final[dict[str, Callable[[], AudioSource]]] = {
    "a file at full speed": lambda: _file(False),
    "a file at its pace": lambda: _file(True),
    "a pipe": _pipe,
}


@click.command()
def main() -> None:
    """Look at the accounts of every kind of source; Linux for the device."""
    recognizer = load_recognizer("compact", StreamSettings(), "cpu")
    kinds, server = dict(KINDS), None
    if shutil.which("pulseaudio"):
        folder = Path(tempfile.mkdtemp())
        server = start_server(folder)
        os.environ.update(environment_of(folder))
        kinds["a device"] = _device
    all_broken = 0
    try:
        for kind, make in kinds.items():
            source = make()
            source.probe()
            looked, broken = watched(source, recognizer)
            all_broken += broken
            click.echo(f"{kind}: {looked - broken} of {looked} balanced")
    finally:
        if server:
            server.send_signal(signal.SIGTERM)
            server.wait(20)
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(bool(all_broken))


if __name__ == "__main__":
    main()
