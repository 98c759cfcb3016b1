"""Microphone and line-in: the audio of one of PortAudio's input devices."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from mmgat.stream.audio.devices.clock import ClockDrift, LostTime
from mmgat.stream.audio.devices.deadline import with_deadline
from mmgat.stream.audio.devices.listing import (
    check_channels,
    find_device,
    full_name,
    list_devices,
    listed_elsewhere,
    portaudio,
    refused,
)
from mmgat.stream.audio.devices.server import ServerRecording
from mmgat.stream.audio.source import AudioSource, Block, SourceHealth
from mmgat.stream.errors import DeviceError

RING_S, POLL_S, CLOSE_TIMEOUT_S = 2.0, 0.002, 2.0
WARNING_S = 60.0
"""Lost time is named for so long (seconds)."""

EMPTY_BLOCK_S = 0.25
"""``read`` returns an empty block after this long (seconds) without frames."""

_portaudio_lock = threading.RLock()
"""Held while a stream opens, closes or PortAudio restarts: its functions allow one thread."""

_open: set[DeviceSource] = set()


class DeviceSource(AudioSource):
    """An input device at its own rate.

    PortAudio's callback copies frames into a ring and counts them, nothing else: it runs on a
    real-time thread that may not wait, so it takes no lock, and ``read`` looks every 2 ms. A ring
    that is not read in time is overwritten; the jump in ``Block.position`` says how much.

    Example::

        source = ReconnectingSource(DeviceSource("Scarlett"))  # part of a name is enough
        source.probe()

    Args:
        device: as for ``find_device``.
        sample_rate_hz, channels: None for the device's own rate and for at most two channels.
        blocksize: frames a callback, 0 for the device's choice.
        latency: PortAudio's ``low``, ``high`` or seconds.
        clock: ``time.monotonic``, or another in tests.
    """

    live = True

    def __init__(
        self,
        device: str | None = None,
        sample_rate_hz: int | None = None,
        channels: int | None = None,
        blocksize: int = 0,
        latency: str | float = "low",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(device or "default", "device")
        self._wanted = device
        self._wanted_rate, self._wanted_channels = sample_rate_hz, channels
        self._blocksize, self._latency = blocksize, latency
        self._clock = clock
        self._stopped = threading.Event()
        self._stream: Any = None
        self._written = self._read = 0  # frames in and out of the ring
        self._missed = 0  # frames before ``_read`` that never were in the ring
        self._gaps: deque[tuple[int, int]] = deque()  # frames written before, frames missed
        self._paused_at = 0.0
        self._fault: DeviceError | None = None
        self._xruns = 0
        self._longest_callback_ms = self._capture_ms = 0.0
        self._drift_ppm: float | None = None
        self._n_lost, self._lost_s, self._lost_at = 0, 0.0, -WARNING_S
        self._server = ServerRecording()

    @property
    def health(self) -> SourceHealth:
        """Overflows and lost time, the longest callback and the drift of the clock so far."""
        warning = ""
        if self._clock() - self._lost_at < WARNING_S:
            warning = f"the audio system has lost {self._lost_s:.1f} s: is this machine overloaded?"
        return SourceHealth(
            self._xruns + self._n_lost, self._longest_callback_ms, self._drift_ppm,
            warning=warning, lost_s=self._lost_s, capture_ms=self._capture_ms,
        )  # fmt: skip

    def probe(self) -> None:
        """Finds the device, and keeps to it and its rate: ``open`` never takes another one.

        Raises:
            DeviceError: no such device, several of that name, too many channels, or the audio
                system does not answer.
        """
        with_deadline(self._settle, f"looking for the input {self.name!r}")

    def another(self, device: str) -> DeviceSource:
        """Another device, at the rate and with the channels of this one."""
        options = self.sample_rate_hz, self.channels, self._blocksize, self._latency, self._clock
        return DeviceSource(device, *options)

    def _settle(self) -> None:
        device = self._find()
        self.device = self._wanted = full_name(portaudio(), device)
        self._wanted_rate, self._wanted_channels = self.sample_rate_hz, self.channels

    def reopen(self) -> None:
        """Opens it anew on PortAudio's newest list of devices; others that are open may pause.

        Raises:
            DeviceError: the device is missing or refuses to open.
        """
        self.close()
        with _portaudio_lock:
            _refresh()
            self._open()

    def pause(self) -> None:
        """Closes the device for a moment; ``resume`` goes on with it."""
        self._close_stream()
        self._paused_at = self._clock()

    def resume(self) -> None:
        """Goes on after ``pause``; the frames missed meanwhile are a jump in the positions.

        If the device is gone, the next ``read`` raises ``DeviceError``.
        """
        try:
            self._open_stream(self._find())
        except DeviceError as error:
            self._fault = error
        missed = round((self._clock() - self._paused_at) * self.sample_rate_hz)
        self._gaps.append((self._written, missed))

    def _find(self) -> dict[str, Any]:
        device = find_device(self._wanted)
        self._set_info(
            self._wanted_rate or int(device["default_samplerate"]),
            self._wanted_channels or min(2, device["max_input_channels"]),
            device["name"],
        )
        check_channels(device, self.channels)
        return device

    def open(self) -> None:
        """Opens the device and starts the callback.

        Raises:
            DeviceError: it is missing, refuses to open, or the audio system does not answer.
        """
        with_deadline(self._open, f"opening {self.name!r}")

    def _open(self) -> None:
        with _portaudio_lock:
            device = self._find()
            rate_hz = self.sample_rate_hz
            self._written = self._read = self._missed = 0
            self._gaps.clear()
            self._fault = None
            self._drift, self._lost_time = ClockDrift(rate_hz), LostTime(rate_hz)
            self._ring = np.zeros((round(RING_S * rate_hz), self.channels), np.float32)
            self._open_stream(device)
            _open.add(self)

    def _open_stream(self, device: dict[str, Any]) -> None:
        sd = portaudio()
        stream = None
        try:
            with self._server.opening():
                stream = sd.InputStream(
                    device=device["index"],
                    samplerate=self.sample_rate_hz,
                    channels=self.channels,
                    blocksize=self._blocksize,
                    latency=self._latency,
                    dtype="float32",
                    callback=self._callback,
                )
                stream.start()
        except (sd.PortAudioError, ValueError, DeviceError) as error:
            if stream is not None:
                stream.close()
            if isinstance(error, DeviceError):  # the server gives another source
                raise
            raise refused(device, self.channels, self.sample_rate_hz, error) from None
        self._stream, self._capture_ms = stream, 1000 * float(stream.latency)

    def _close_stream(self) -> None:
        self._server.close()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _is_running(self) -> bool:
        """False if PortAudio says that it stopped; while PortAudio is busy, nobody asks."""
        if self._fault:
            raise self._fault
        if not _portaudio_lock.acquire(blocking=False):
            return True
        try:
            return self._stream is None or bool(self._stream.active)
        finally:
            _portaudio_lock.release()

    def _callback(self, indata: Any, frames: int, _time: Any, status: Any) -> None:
        begun = time.perf_counter()
        if status.input_overflow:
            self._xruns += 1
        start = self._written % len(self._ring)
        first = min(frames, len(self._ring) - start)
        self._ring[start : start + first] = indata[:first]
        self._ring[: frames - first] = indata[first:]
        self._written += frames
        took_ms = 1000 * (time.perf_counter() - begun)
        if took_ms > self._longest_callback_ms:
            self._longest_callback_ms = took_ms

    def read(self) -> Block | None:
        """The frames since the last call; an empty block when none come for a quarter second.

        Raises:
            DeviceError: the device has stopped, or the audio server moved it to another source.
        """
        if self._server.fault:
            raise DeviceError(self._server.fault)
        empty_at = self._clock() + EMPTY_BLOCK_S
        while (written := self._written) == self._read:
            if self._stopped.wait(POLL_S):
                return None
            if self._clock() > empty_at:
                break
            if not self._is_running():
                raise DeviceError(f"{self.name!r} stopped giving audio: is it still connected?")
        captured_at = self._clock()
        while self._gaps and self._gaps[0][0] <= self._read:
            self._missed += self._gaps.popleft()[1]
        if self._gaps:
            written = min(written, self._gaps[0][0])
        if written > self._read:
            self._count_lost(captured_at, written + self._missed)
        # Frames that the callback may be overwriting now are given up with those it has overwritten.
        oldest = written - len(self._ring) + len(self._ring) // 4
        first = max(self._read, oldest)
        samples = self._ring[np.arange(first, written) % len(self._ring)]
        self._read = written
        return Block(first + self._missed, samples, captured_at)

    def _count_lost(self, now: float, frames: int) -> None:
        """Time that the clock knows of and the device does not is a jump in the positions."""
        if lost := self._lost_time.update(now, frames):
            self._missed += lost
            self._n_lost += 1
            self._lost_s, self._lost_at = self._lost_s + lost / self.sample_rate_hz, now
        self._drift_ppm = self._drift.update(now, frames + lost)

    def stop(self) -> None:
        """Ends a waiting ``read``."""
        self._stopped.set()

    def close(self) -> None:
        """Closes the device; while the audio system does not answer, it is left as it is."""
        if _portaudio_lock.acquire(timeout=CLOSE_TIMEOUT_S):
            try:
                _open.discard(self)
                self._close_stream()
            finally:
                _portaudio_lock.release()


def _refresh() -> None:
    """Lets PortAudio see which devices came or went; the lock is held.

    It looks only when it starts anew, and that with nothing open. Devices that are open pause for
    it, and only if there is news: a process of its own, whose PortAudio is new, knows.
    """
    others = list(_open)
    if others and listed_elsewhere() in ("", list_devices()):
        return
    for other in others:
        other.pause()
    sd = portaudio()
    sd._terminate()
    sd._initialize()
    for other in others:
        other.resume()
