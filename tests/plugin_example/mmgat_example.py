"""Plug-ins of another package: sinks, a source of a tone, and a bridge."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Annotated

import numpy as np
from msgspec import Meta

from mmgat.stream import AudioSource, Block, Estimate, Event, Sink
from mmgat.stream.bridges.base import Bridge, Signal
from mmgat.stream.setting_types import SettingsGroup

RATE_HZ = 16_000
SECONDS = 3


class Tally(Sink):
    """Writes, at the end, how many estimates there were to the file behind the colon."""

    name = "tally"
    wants = (Estimate,)

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._n_estimates = 0

    def handle(self, message: object) -> None:
        self._n_estimates += 1

    def close(self) -> None:
        self._path.write_text(str(self._n_estimates))


class Unlucky(Sink):
    """Fails with every message."""

    name = "unlucky"

    def __init__(self, _: str) -> None:
        pass

    def handle(self, message: object) -> None:
        raise RuntimeError("no luck")


class Tone(AudioSource):
    """Three seconds of the frequency behind the colon."""

    live = False

    def __init__(self, frequency: str) -> None:
        super().__init__(f"tone {frequency} Hz", "tone", RATE_HZ, channels=1)
        self._frequency_hz = float(frequency)
        self._position = 0
        self._stopped = threading.Event()

    def probe(self) -> None:
        """Nothing is to be found out."""

    def open(self) -> None:
        self._position = 0

    def read(self) -> Block | None:
        if self._position >= SECONDS * RATE_HZ or self._stopped.is_set():
            return None
        position, self._position = self._position, self._position + RATE_HZ // 10
        t = np.arange(position, self._position) / RATE_HZ
        samples = 0.2 * np.sin(2 * np.pi * self._frequency_hz * t)
        return Block(position, samples.astype(np.float32)[:, None], time.monotonic())

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        """Nothing is held."""


class NoteSettings(SettingsGroup, frozen=True):
    path: Annotated[str, Meta(description="File that gets the labels.")] = "notes.txt"


class NoteBridge(Bridge):
    """Writes the labels of instruments that begin into a file."""

    Settings = NoteSettings

    @property
    def receiver(self) -> str:
        return f"the file {self.settings.path}"

    def open(self) -> None:
        Path(self.settings.path).touch()

    def send(self, signal: Signal) -> None:
        if isinstance(signal, Event) and signal.event == "on":
            with Path(self.settings.path).open("a") as file:
                file.write(f"{signal.label}\n")

    def close(self) -> None: ...
