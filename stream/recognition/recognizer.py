"""Windows -> log-mel -> sliding graph -> the network -> scores and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mmgat.model.backends.base import InferenceBackend
from mmgat.model.backends.loading import load_backend
from mmgat.model.card import Card
from mmgat.model.embedders.log_mel import SAMPLE_RATE_HZ
from mmgat.stream.audio.windows import Window
from mmgat.stream.recognition.front_end import FrontEnd
from mmgat.stream.recognition.graph_buffer import GraphBuffer
from mmgat.stream.settings import StreamSettings


@dataclass(frozen=True)
class Recognition:
    """What MMGAT says after one more window; L = 20 labels, n nodes so far.

    Attributes:
        scores: float32 [L], the newest node in the light of the graph.
        bag_scores: float32 [L], the graph's seconds together.
        evidence: float32 [n, L], oldest node first; its columns sum to ``bag_scores``.
        node_starts: positions of the nodes, samples at 16 kHz.
    """

    scores: npt.NDArray[np.float32]
    bag_scores: npt.NDArray[np.float32]
    evidence: npt.NDArray[np.float32]
    node_starts: list[int]


class StreamState:
    """What is remembered of one stream: the frames of its last window, and its sliding graphs.

    Nodes of one graph are one second apart, as in training. With a hop below a second several
    graphs interleave, one a phase.
    """

    def __init__(self, settings: StreamSettings) -> None:
        self.front_end = FrontEnd()
        self._hop = round(settings.hop_s * SAMPLE_RATE_HZ)
        n_phases = SAMPLE_RATE_HZ // self._hop
        self._graphs = [GraphBuffer(settings.nodes) for _ in range(n_phases)]

    def graph_of(self, window: Window) -> GraphBuffer:
        """The graph of the window's phase."""
        return self._graphs[(window.start // self._hop) % len(self._graphs)]


class Recognizer:
    """The learned part, shared by all streams.

    A call takes the next window of one stream or of several; each joins the graph of its stream
    and phase, and all go through the network together, which costs less than one after the other
    (``python -m tools.benchmark streams``).

    Args:
        card: of the model.
        network: its embedder and MMGAT.
        settings: hop and nodes.

    Attributes:
        device: where the network computes.
    """

    def __init__(self, card: Card, network: InferenceBackend, settings: StreamSettings) -> None:
        self.card, self.device = card, network.device
        self._network, self._settings = network, settings

    def new_state(self) -> StreamState:
        """The state of a stream that begins."""
        return StreamState(self._settings)

    def __call__(self, heard: Sequence[tuple[StreamState, Window]]) -> list[Recognition]:
        """Adds each window to its stream's graph and reads these graphs.

        Args:
            heard: at most one window a stream; those of one stream come in order of their starts.
        """
        log_mel = np.array([state.front_end(window) for state, window in heard])
        graphs = [state.graph_of(window) for state, window in heard]
        for graph, (_, window) in zip(graphs, heard, strict=True):
            graph.begin_node(window.start)
        rows, scores, evidence = self._network(log_mel, GraphBuffer.collate(graphs))
        for graph, row in zip(graphs, rows, strict=True):
            graph.set_embedding(row)
        bag_scores = evidence.sum(axis=1)
        return [
            Recognition(
                scores[i], bag_scores[i], evidence[i].take(graph.slots, axis=0), graph.starts
            )
            for i, graph in enumerate(graphs)
        ]


def load_recognizer(
    model: str = "compact",
    settings: StreamSettings | None = None,
    compute: str = "auto",
    weights: Path | None = None,
) -> tuple[Recognizer, str]:
    """A recogniser by the model's name or checkpoint path, and a line on where it computes.

    Args:
        model, compute, weights: as for ``load_backend``.
        settings: hop and nodes.

    Raises:
        ModelError: the checkpoint, the weights or the device are not to be had.
    """
    card, network, where = load_backend(model, compute, weights)
    return Recognizer(card, network, settings or StreamSettings()), where
