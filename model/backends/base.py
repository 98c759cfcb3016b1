"""What recognises: the learned networks as one function on arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from mmgat.model.errors import ComputeError

Floats = npt.NDArray[np.float32]

DEVICES: Final = ("auto", "cpu", "cuda", "mps")
"""Kinds of compute devices."""


def split_device(name: str) -> tuple[str, int]:
    """``cuda:1`` -> ``("cuda", 1)``; without a number it is the first.

    Raises:
        ComputeError: it is no name of a device.
    """
    kind, colon, number = name.partition(":")
    numbered = kind == "cuda" and number.isascii() and number.isdigit()
    if kind not in DEVICES or (colon and not numbered):
        raise ComputeError(
            f"expected a compute device of auto, cpu, cuda, cuda:1 or mps, found {name!r}"
        )
    return kind, int(number) if numbered else 0


class Graphs(NamedTuple):
    """B graphs of N nodes, each of which a window is joining.

    Attributes:
        nodes: float32 [B, N, D], embeddings; that of the new window is not there yet.
        mask: bool [B, N], which nodes there are, the new one among them.
        steps: int64 [B, N], their seconds.
        newest: bool [B, N], the place of the new one.
        similarity: float32 [B, N, N], of every two nodes; the new one's row and column are not there
            yet.
    """

    nodes: Floats
    mask: npt.NDArray[np.bool_]
    steps: npt.NDArray[np.int64]
    newest: npt.NDArray[np.bool_]
    similarity: Floats


class WholeGraphs(NamedTuple):
    """B graphs of N nodes that are all there; see ``Graphs``.

    Attributes:
        nodes: float32 [B, N, D].
        mask, steps, newest: as in ``Graphs``.
    """

    nodes: Floats
    mask: npt.NDArray[np.bool_]
    steps: npt.NDArray[np.int64]
    newest: npt.NDArray[np.bool_]


class Prediction(NamedTuple):
    """Scores of B windows, and of the graphs of N nodes they joined.

    Attributes:
        embeddings: float32 [B, D], of the windows.
        scores: float32 [B, 20] in [0, 1], the newest node in the light of its graph.
        evidence: float32 [B, N, 20], of every node; sums to the score of the whole graph.
        row: float32 [B, N], similarity of the new node to every node, itself among them.
    """

    embeddings: Floats
    scores: Floats
    evidence: Floats
    row: Floats


class HeldGraph(Protocol):
    """One graph as its stream holds it; see ``Graphs``, without the first axis."""

    nodes: Floats
    mask: npt.NDArray[np.bool_]
    steps: npt.NDArray[np.int64]
    newest: npt.NDArray[np.bool_]
    similarity: Floats


@dataclass(frozen=True)
class HeardWindow:
    """A window as sound, for a device that computes spectrograms itself.

    Attributes:
        stream: whose it is; the device keeps the frames of a stream's last window under it.
        samples: float32 [T], under all frames of the window.
        n_known: so many first frames are the last ones of the stream's window before.
        frames: computes all of them here, float32 [n_frames, n_bands].
    """

    stream: object
    samples: Floats
    n_known: int
    frames: Callable[[], Floats]


def collated(graphs: Sequence[HeldGraph]) -> Graphs:
    """Copies graphs of the same size, as the network takes them."""
    parts = zip(*((g.nodes, g.mask, g.steps, g.newest, g.similarity) for g in graphs), strict=True)
    return Graphs(*map(np.array, parts))  # quicker than np.stack


class InferenceBackend(Protocol):
    """Embedder and MMGAT together, as ``mmgat.model.streaming_model.StreamingModel`` describes them.

    Attributes:
        device: where it computes, such as "cpu" or "cuda".
    """

    @property
    def device(self) -> str:
        """Where it computes."""
        ...

    def __call__(self, log_mel: Floats, graphs: Graphs) -> Prediction:
        """Reads the windows' examples, float32 [B, n_frames, n_bands], and the graphs they join."""
        ...

    def embed(self, log_mel: Floats) -> Floats:
        """Computes the embeddings alone, float32 [B, D], of any windows: those of a file ahead."""
        ...

    def read(self, graphs: WholeGraphs) -> tuple[Floats, Floats]:
        """Reads graphs whose nodes were embedded.

        Returns:
            Scores float32 [B, 20] of the newest nodes, and bag scores float32 [B, 20] of the graphs.
        """
        ...


@runtime_checkable
class ResidentBackend(Protocol):
    """A backend whose device keeps the graphs, so that a hop sends no more than the new windows."""

    def advance(self, log_mel: Floats, graphs: Sequence[HeldGraph]) -> Prediction:
        """Computes the next window of each graph.

        Args:
            log_mel: float32 [B, n_frames, n_bands].
            graphs: B of them, each with a place for its window; the caller stores the prediction.
        """
        ...

    def warm_up(self, n_streams: int, n_nodes: int, hop_s: float) -> None:
        """Prepares for so many windows at once, every ``hop_s``, of graphs of so many nodes."""
        ...


@runtime_checkable
class HearingBackend(ResidentBackend, Protocol):
    """A resident backend whose device may compute the spectrograms too.

    Attributes:
        hears: it does, so that ``advance_heard`` is to be called in place of ``advance``.
    """

    @property
    def hears(self) -> bool:
        """Whether the device computes the spectrograms."""
        ...

    def advance_heard(
        self, windows: Sequence[HeardWindow], graphs: Sequence[HeldGraph]
    ) -> Prediction:
        """Computes the next window of each graph, see ``advance``."""
        ...
