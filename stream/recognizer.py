"""Windows -> embedding -> sliding graph -> MMGAT -> scores and evidence, on the compute device."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from model.checkpoint import Card, load_checkpoint, require_space
from model.compact import CompactEmbedder
from model.compute import compute_device
from model.embedder import Embedder
from model.embedders import embedder_of
from model.instance_graph import InstanceGraph
from model.labels import N_LABELS
from model.log_mel import SAMPLE_RATE_HZ
from model.mmgat import MMGAT
from model.similarity import Similarity
from stream.front_end import FrontEnd
from stream.graph_buffer import GraphBuffer
from stream.settings import StreamSettings
from stream.windows import Window


@dataclass(frozen=True)
class Recognition:
    """What MMGAT says after one more window; L = 20 labels, n nodes so far.

    Attributes:
        scores: float32 [L], the newest node in the light of the graph.
        recent: float32 [L], the graph's seconds together.
        evidence: float32 [n, L], oldest node first; its columns sum to ``recent``.
        node_starts: positions of the nodes, samples at 16 kHz.
    """

    scores: npt.NDArray[np.float32]
    recent: npt.NDArray[np.float32]
    evidence: npt.NDArray[np.float32]
    node_starts: list[int]


class StreamMemory:
    """What is remembered of one stream: the frames of its last window, and its sliding graphs.

    Nodes of one graph are one second apart, as in training. With a hop below a second several
    graphs interleave, one a phase.

    Args:
        settings: hop and nodes.
        metric: the graphs' similarity.
        device: compute device.
    """

    def __init__(self, settings: StreamSettings, metric: Similarity, device: torch.device) -> None:
        self.front_end = FrontEnd(device)
        self._hop = round(settings.hop_s * SAMPLE_RATE_HZ)
        n_phases = SAMPLE_RATE_HZ // self._hop
        self._graphs = [GraphBuffer(settings.nodes, metric, device) for _ in range(n_phases)]

    def graph_of(self, window: Window) -> GraphBuffer:
        """The graph of the window's phase."""
        return self._graphs[(window.start // self._hop) % len(self._graphs)]


class Recognizer:
    """The learned part, shared by all streams.

    A call takes the next window of one stream or of several; each joins the graph of its stream
    and phase, and the embeddings and the graphs go through the networks together: on a CPU eight
    streams cost three times as much as one (``python -m tools.benchmark streams``).

    On a GPU embedding, graph and network stay there: one transfer in a window (pinned), one out a
    call.

    Args:
        card: of the model.
        embedder, mmgat: in evaluation mode, rows in the same space.
        settings: hop and nodes.
        device: compute device.
    """

    def __init__(
        self,
        card: Card,
        embedder: Embedder,
        mmgat: MMGAT,
        settings: StreamSettings,
        device: torch.device | None = None,
    ) -> None:
        require_space(card, embedder.name, embedder.variant)
        self.card = card
        self.device = device or torch.device("cpu")
        self._settings = settings
        self._embedder, self._mmgat = embedder, mmgat
        for network in (embedder, mmgat):
            if isinstance(network, nn.Module):
                network.to(self.device)
        with torch.inference_mode():
            self._label_vectors = mmgat.label_vectors()

    def memory(self) -> StreamMemory:
        """The memory of a stream that begins."""
        return StreamMemory(self._settings, self._mmgat.metric, self.device)

    @torch.inference_mode()
    def __call__(self, heard: Sequence[tuple[StreamMemory, Window]]) -> list[Recognition]:
        """Adds each window to its stream's graph and runs MMGAT on these graphs.

        Args:
            heard: at most one window a stream; those of one stream come in order of their starts.
        """
        rows = self._embedder(torch.cat([memory.front_end(window) for memory, window in heard]))
        buffers = [memory.graph_of(window) for memory, window in heard]
        slots = [
            buffer.add(row, window.start)
            for buffer, row, (_, window) in zip(buffers, rows, heard, strict=True)
        ]
        graphs = InstanceGraph.batch([buffer.graph() for buffer in buffers])
        output = self._mmgat(graphs, self._label_vectors)
        newest = torch.stack([output.instance_scores[i, slot] for i, slot in enumerate(slots)])
        packed = torch.cat([newest, output.bag_scores, output.evidence.flatten(1)], 1)
        return [
            _unpacked(numbers, buffer)
            for numbers, buffer in zip(packed.cpu().numpy(), buffers, strict=True)
        ]


def _unpacked(numbers: npt.NDArray[np.float32], buffer: GraphBuffer) -> Recognition:
    scores, recent, evidence = np.split(numbers, [N_LABELS, 2 * N_LABELS])
    return Recognition(scores, recent, evidence.reshape(-1, N_LABELS)[buffer.slots], buffer.starts)


def load_recognizer(
    model: str = "compact",
    settings: StreamSettings | None = None,
    compute: str = "auto",
    weights: Path | None = None,
) -> tuple[Recognizer, str]:
    """A recogniser by the model's name or checkpoint path, and a line on where it computes.

    Args:
        model: ``compact``, ``vggish`` or the path of a checkpoint.
        settings: hop and nodes.
        compute: ``auto``, ``cpu`` or ``cuda``.
        weights: VGGish's published files, where torch.hub's cache has them not.

    Raises:
        ModelError: the checkpoint, the weights or the device are not to be had.
    """
    device, where = compute_device(compute)
    checkpoint = load_checkpoint(model)
    embedder = embedder_of(checkpoint, weights)
    if device.type == "cpu":
        # Small networks only lose by sharing their work; VGGish gains, but is not alone here.
        small = checkpoint.card.embedder == CompactEmbedder.name
        torch.set_num_threads(1 if small else min(4, os.cpu_count() or 1))
    return (
        Recognizer(
            checkpoint.card, embedder, checkpoint.mmgat, settings or StreamSettings(), device
        ),
        where,
    )
