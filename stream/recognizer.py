"""Windows -> embedding -> sliding graph -> MMGAT -> scores and evidence, on the compute device."""

from __future__ import annotations

import os
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
from model.labels import N_LABELS
from model.log_mel import SAMPLE_RATE_HZ
from model.mmgat import MMGAT
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


class Recognizer:
    """The learned part of the stream.

    Nodes of one graph are one second apart, as in training. With a hop below a second several
    graphs interleave, one a phase; every window joins the graph of its phase, and that graph runs.

    On a GPU embedding, graph and network stay there: per window one transfer in (pinned), one out.

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
        self._front_end = FrontEnd(self.device)
        self._embedder, self._mmgat = embedder, mmgat
        for network in (embedder, mmgat):
            if isinstance(network, nn.Module):
                network.to(self.device)
        self._hop = round(settings.hop_s * SAMPLE_RATE_HZ)
        n_phases = SAMPLE_RATE_HZ // self._hop
        self._graphs = [
            GraphBuffer(settings.nodes, mmgat.metric, self.device) for _ in range(n_phases)
        ]

    def reset(self) -> None:
        """Forgets the past, as before another stream."""
        self._front_end.reset()
        for graph in self._graphs:
            graph.clear()

    @torch.inference_mode()
    def __call__(self, window: Window) -> Recognition:
        """Adds a window to the graph of its phase and runs MMGAT on it.

        Windows of one stream come in order of their starts; ``reset`` begins another stream.
        """
        row = self._embedder(self._front_end(window))[0]
        graph = self._graphs[(window.start // self._hop) % len(self._graphs)]
        slot = graph.add(row, window.start)
        output = self._mmgat(graph.graph())
        packed = torch.cat(
            [output.instance_scores[:, slot], output.bag_scores, output.evidence.flatten(1)], 1
        )
        scores, recent, evidence = np.split(packed[0].cpu().numpy(), [N_LABELS, 2 * N_LABELS])
        return Recognition(
            scores, recent, evidence.reshape(-1, N_LABELS)[graph.slots], graph.starts
        )


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
