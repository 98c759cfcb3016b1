"""One size of a hop on a device: all that it sends, its step, and all that it brings back (ours).

What is sent lies in one block of pinned memory, what comes back in another: one copy each way, and one
wait at the end. Shapes do not change, so the step is a captured CUDA graph where there is CUDA; all but
that capture is the same on the CPU, where the tests run it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch

from mmgat.model.backends.base import Prediction
from mmgat.model.backends.hop_step import HopStep, Inputs
from mmgat.model.backends.places import SPARE
from mmgat.model.backends.twin_block import Block

WARM_UPS: Final = 3
"""Runs before a CUDA graph is captured, as torch's documentation asks for."""

OF_NOBODY: Final = ("place", "slot", "step", "stream")
"""Inputs that say whose a window is and where it goes."""


def bucket_of(n_windows: int) -> int:
    """The next power of two."""
    return 1 << (n_windows - 1).bit_length()


class Bucket:
    """The two blocks of B windows, and the step between them.

    Args:
        n_windows: B.
        step: what is computed.
        device: where.
        pool: CUDA's memory for what the graphs of all buckets compute in between; they never run at
            the same time.

    Attributes:
        step: as given.
        inputs: name -> array, to be filled before ``run``.
    """

    def __init__(
        self,
        n_windows: int,
        step: HopStep,
        device: torch.device,
        pool: Any = None,
    ) -> None:
        self.step, self._device, self._pool = step, device, pool
        self._inbound = Block(step.shapes(n_windows), device)
        self.inputs: Inputs = {
            name: tensor.numpy() for name, tensor in self._inbound.on_host.items()
        }
        self._clear(0)
        self._inbound.send()
        outputs = step(self._inbound.on_device)
        self._outbound = Block(
            {
                name: (torch.float32, tuple(part.shape))
                for name, part in zip(Prediction._fields, outputs, strict=True)
            },
            device,
        )
        self._done = torch.cuda.Event() if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._replay = self._captured() if device.type == "cuda" else self._compute

    def run(self, n_used: int) -> Prediction:
        """Sends, computes, fetches, and waits once; returns copies of what came back.

        Windows behind the first ``n_used`` are of the spare graph.
        """
        self._clear(n_used)
        self.launch()
        self.wait()
        return Prediction(
            *(self._outbound.on_host[name][:n_used].numpy().copy() for name in Prediction._fields)
        )

    def launch(self) -> None:
        """Sends, computes and fetches, without waiting for any of it."""
        self._inbound.send()
        self._replay()
        self._outbound.fetch()
        if self._done:
            self._done.record()

    def wait(self) -> None:
        """Waits until what was launched has come back."""
        if self._done:
            self._done.synchronize()
        elif self._device.type == "mps":
            torch.mps.synchronize()

    def _clear(self, n_used: int) -> None:
        for name in OF_NOBODY:
            if name in self.inputs:
                self.inputs[name][n_used:] = SPARE
        self.inputs["mask"][n_used:] = True

    def _compute(self) -> None:
        for name, part in zip(Prediction._fields, self.step(self._inbound.on_device), strict=True):
            self._outbound.on_device[name].copy_(part)

    def _captured(self) -> Callable[[], None]:
        """A CUDA graph of ``_compute``, after runs that let libraries choose their kernels."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                self._compute()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            self._compute()
        replay: Callable[[], None] = graph.replay
        return replay
