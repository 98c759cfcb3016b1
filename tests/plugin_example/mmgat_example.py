"""Plug-ins of another package: a sink that counts estimates, one that fails, and a source of a tone."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np

from mmgat.stream import AudioSource, Block, Estimate, Sink

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
