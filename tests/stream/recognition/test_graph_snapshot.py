"""The graph that is shown is the graph that the network reads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from mmgat.model.graph.instance_graph import GraphLayout, InstanceGraph, Scale
from mmgat.model.graph.similarity import SIMILARITIES
from mmgat.model.mmgat import MMGATConfig
from mmgat.stream.audio.source import Block
from mmgat.stream.bus.protocol import Estimate
from mmgat.stream.recognition.graph_snapshot import (
    DEFAULT_SCALES,
    neighbours,
)
from mmgat.stream.recognition.pipeline import Pipeline
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings
from tests.conftest import melody


def rows_of(n: int) -> np.ndarray:
    return np.random.default_rng(n).normal(0.1, 1, (n, 128)).astype(np.float32)


@pytest.mark.parametrize("scale", ["temporal-1", "temporal-2", "near-3", "near-20", "wide-0.1"])
def test_neighbours_are_those_of_the_model_without_the_node_itself(scale: str) -> None:
    rows, steps = rows_of(9), [0, 1, 2, 4, 5, 6, 8, 9, 11]
    graph = InstanceGraph.from_nodes(
        torch.tensor(rows)[None], None, torch.tensor(steps)[None], SIMILARITIES["cosine"]
    )
    absent = Scale.parse(scale).neighbours(graph, GraphLayout.DENSE).absent[0, 0].numpy()
    expected = [[j for j in range(9) if j != i and not absent[i, j]] for i in range(9)]
    assert neighbours(scale, graph.similarity[0].numpy(), steps) == expected


def test_a_card_without_a_configuration_means_the_networks_defaults() -> None:
    assert MMGATConfig().scales == DEFAULT_SCALES


def test_each_estimate_has_its_graph_while_somebody_wants_it(
    make_recognizer: Callable[[StreamSettings], Recognizer],
) -> None:
    settings = StreamSettings(hop_s=1.0, nodes=3)
    pipeline = Pipeline(make_recognizer(settings), "lab", 16_000, settings)
    samples = melody(6.0, 16_000)
    pipeline.process(Block(0, samples[:32_000], 0.0))
    assert pipeline.take_graphs() == []
    pipeline.wants_graph = True
    messages = pipeline.process(Block(32_000, samples[32_000:], 0.0))
    estimates = [m for m in messages if isinstance(m, Estimate)]
    graphs = pipeline.take_graphs()
    assert [graph.index for graph in graphs] == [estimate.index for estimate in estimates]
    assert [graph.times_s for graph in graphs] == [estimate.evidence_t0 for estimate in estimates]
    newest = graphs[-1]
    assert newest.times_s == [3.0, 4.0, 5.0]
    assert np.shape(newest.similarity) == (3, 3)
    assert [newest.similarity[i][i] for i in range(3)] == [1.0, 1.0, 1.0]
    assert newest.neighbours["temporal-1"] == [[1], [0, 2], [1]]
    assert list(newest.neighbours) == list(DEFAULT_SCALES)
