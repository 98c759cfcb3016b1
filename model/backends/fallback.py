"""The CPU takes over where a device fails, and no stream ends (ours)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from mmgat.model.backends.base import (
    Floats,
    Graphs,
    HeardWindow,
    HearingBackend,
    HeldGraph,
    InferenceBackend,
    Prediction,
    ResidentBackend,
    WholeGraphs,
    collated,
)

T = TypeVar("T")

log = logging.getLogger(__name__)


class FallbackBackend:
    """A backend on a device, and another on the CPU that is loaded when the first one fails.

    The graphs also stand in the streams' own memory, so the window that failed is computed again on
    the CPU and nothing is lost: out of memory, a card that fell off the bus, a driver's fault. It
    stays on the CPU until the program is started anew.

    Args:
        backend: on the device.
        on_cpu: loads the other.

    Attributes:
        device: where it computes now.
        warning: what has failed, in words for a user, or "".
    """

    def __init__(self, backend: InferenceBackend, on_cpu: Callable[[], InferenceBackend]) -> None:
        self._backend, self._on_cpu = backend, on_cpu
        self._failed = False
        self.warning = ""

    @property
    def device(self) -> str:
        """Where it computes now."""
        return self._backend.device

    def __call__(self, log_mel: Floats, graphs: Graphs) -> Prediction:
        """Computes a batch on the device, or on the CPU after a fault."""
        return self._run(lambda backend: backend(log_mel, graphs))

    def advance(self, log_mel: Floats, graphs: Sequence[HeldGraph]) -> Prediction:
        """Computes the next window of each graph on the device, or on the CPU after a fault."""

        def run(backend: InferenceBackend) -> Prediction:
            if isinstance(backend, ResidentBackend):
                return backend.advance(log_mel, graphs)
            return backend(log_mel, collated(graphs))

        return self._run(run)

    @property
    def hears(self) -> bool:
        """Whether the device computes the spectrograms."""
        return isinstance(self._backend, HearingBackend) and self._backend.hears

    def advance_heard(
        self, windows: Sequence[HeardWindow], graphs: Sequence[HeldGraph]
    ) -> Prediction:
        """Computes spectrograms and all else on the device, or on the CPU after a fault."""

        def run(backend: InferenceBackend) -> Prediction:
            if isinstance(backend, HearingBackend) and backend.hears:
                return backend.advance_heard(windows, graphs)
            return backend(np.array([window.frames() for window in windows]), collated(graphs))

        return self._run(run)

    def embed(self, log_mel: Floats) -> Floats:
        """Embeds windows on the device, or on the CPU after a fault."""
        return self._run(lambda backend: backend.embed(log_mel))

    def read(self, graphs: WholeGraphs) -> tuple[Floats, Floats]:
        """Reads whole graphs on the device, or on the CPU after a fault."""
        return self._run(lambda backend: backend.read(graphs))

    def warm_up(self, n_streams: int, n_nodes: int, hop_s: float) -> None:
        """Prepares the device for so many streams at once, of graphs of so many nodes."""
        if isinstance(self._backend, ResidentBackend):
            try:
                self._backend.warm_up(n_streams, n_nodes, hop_s)
            except Exception as error:
                self._take_over(error)

    def _run(self, compute: Callable[[InferenceBackend], T]) -> T:
        if self._failed:
            return compute(self._backend)
        try:
            return compute(self._backend)
        except Exception as error:  # drivers, torch and ONNX Runtime share no base of their faults
            self._take_over(error)
            return compute(self._backend)

    def _take_over(self, error: Exception) -> None:
        device = self._backend.device
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        what = f"{device} ran out of memory" if is_out_of_memory(error) else f"{device} failed"
        advice = (
            "use fewer streams or --nodes, or start again"
            if is_out_of_memory(error)
            else "check the driver with nvidia-smi, and start again"
        )
        self.warning = f"{what}, the CPU took over ({reason}): {advice} to compute there"
        log.debug("the device failed", exc_info=error)
        self._failed = True
        self._backend = self._on_cpu()


def is_out_of_memory(error: Exception) -> bool:
    """Whether a fault of torch or of ONNX Runtime says that a device's memory is full."""
    words = str(error).lower()
    return "out of memory" in words or "failed to allocate memory" in words
