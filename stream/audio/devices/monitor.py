"""Plays what is analysed through the default output, so that one hears what is recognised."""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mmgat.stream.audio.devices.listing import portaudio
from mmgat.stream.audio.source import Block
from mmgat.stream.errors import DeviceError

MAX_BLOCKS: Final = 400
"""Blocks that may wait for the output; later ones are left out."""

CLOSE_TIMEOUT_S: Final = 2.0

log = logging.getLogger(__name__)


class Monitor:
    """Plays the first stream that sends a block, on a thread of its own.

    Analysis never waits for it: blocks that the output does not take in time are left out. An
    output that cannot be opened or goes away is one warning, and nothing more is played.
    """

    def __init__(self) -> None:
        self._blocks: queue.Queue[npt.NDArray[np.float32] | None] = queue.Queue(MAX_BLOCKS)
        self._stream_name: str | None = None
        self._thread: threading.Thread | None = None

    def on_block(self, stream: str, rate_hz: int, live: bool, block: Block) -> None:
        """Takes a block on its way to analysis and returns at once.

        Args:
            stream: its name; only blocks of the first one are played.
            rate_hz: of the block.
            live: unused, as for every tap.
            block: float32 [frames, channels]; of more than two channels the first two are heard.
        """
        if self._stream_name is None:
            self._stream_name = stream
            channels = min(2, block.samples.shape[1])
            self._thread = threading.Thread(
                target=self._run, args=[rate_hz, channels], name="monitor", daemon=True
            )
            self._thread.start()
        if stream == self._stream_name and self._thread and self._thread.is_alive():
            try:
                self._blocks.put_nowait(block.samples[:, :2])
            except queue.Full:
                log.warning("the audio output does not keep up: --monitor leaves out some sound")

    def close(self) -> None:
        """Plays what waits, for two seconds at most, and gives the output back."""
        if self._thread is not None:
            try:
                self._blocks.put_nowait(None)
            except queue.Full:
                return
            self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self, rate_hz: int, channels: int) -> None:
        try:
            sounddevice: Any = portaudio()
            with sounddevice.OutputStream(rate_hz, channels=channels, dtype="float32") as output:
                while (samples := self._blocks.get()) is not None:
                    output.write(np.ascontiguousarray(samples))
        except DeviceError as error:
            log.warning("--monitor plays nothing: %s", error)
        except Exception as error:  # PortAudioError, which is only known once PortAudio is loaded
            log.warning("--monitor plays nothing more, the audio output failed: %s", error)
