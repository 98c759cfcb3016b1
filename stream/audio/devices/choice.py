"""Choosing another device: which there are, and how loud one is before it is recognised."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from mmgat.stream.audio.devices.device import DeviceSource
from mmgat.stream.audio.devices.listing import InputDevice, input_devices
from mmgat.stream.audio.meter import ChannelMeter
from mmgat.stream.audio.source import AudioSource
from mmgat.stream.errors import SourceError

LEASE_S: Final = 2.0
"""A device that nobody asks for any more is closed after so long (seconds)."""


class DevicePreview:
    """The level of one device at a time, which is open while somebody asks for it.

    Args:
        make: opens a source of a device's name.
        clock: ``time.monotonic``, or another in tests.
    """

    def __init__(
        self,
        make: Callable[[str], AudioSource] = DeviceSource,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make, self._clock = make, clock
        self._listener: _Listener | None = None

    def devices(self) -> list[InputDevice]:
        """The inputs that the audio system has.

        Raises:
            DeviceError: it does not answer.
        """
        return input_devices()

    def level(self, name: str) -> float | None:
        """The level of a device in dBFS; None until its first sound is here. Nothing waits.

        Raises:
            SourceError: it cannot be opened.
        """
        now = self._clock()
        listener = self._listener
        if listener is None or listener.name != name or listener.over:
            if listener is not None:
                listener.stop()
                if listener.name == name and listener.fault:
                    self._listener = None
                    raise SourceError(listener.fault)
            self._listener = listener = _Listener(name, self._make, self._clock, now)
        listener.asked_at = now
        return listener.level_dbfs

    def close(self) -> None:
        """Ends what is open, and waits for it."""
        if self._listener is not None:
            self._listener.stop()
            self._listener = None


class _Listener:
    """Reads one device on a thread of its own.

    Attributes:
        name: of the device.
        asked_at: when somebody asked last.
        level_dbfs: of the last second, or None.
        fault: why it ended, or "".
    """

    def __init__(
        self,
        name: str,
        make: Callable[[str], AudioSource],
        clock: Callable[[], float],
        now: float,
    ) -> None:
        self.name, self.asked_at, self.fault = name, now, ""
        self.level_dbfs: float | None = None
        self._source, self._clock = make(name), clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="device preview", daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        """Whether the device is closed again."""
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Closes the device, and waits until it is."""
        self._stopping.set()
        self._source.stop()
        self._thread.join(LEASE_S)

    def _run(self) -> None:
        try:
            self._source.probe()
            with self._source:
                meter = ChannelMeter(self._source.sample_rate_hz)
                while not self._stopping.is_set() and self._clock() - self.asked_at < LEASE_S:
                    block = self._source.read()
                    if block is None:
                        break
                    if len(block.samples):
                        meter.push(block.samples)
                        self.level_dbfs = meter.level_dbfs
        except SourceError as error:
            self.fault = str(error)
