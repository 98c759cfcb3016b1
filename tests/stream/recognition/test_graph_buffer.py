import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgat.model.backends.base import Graphs
from mmgat.model.backends.torch import TorchBackend
from mmgat.model.embedders.convnet import ConvNetEmbedder
from mmgat.model.graph.similarity import SIMILARITIES
from mmgat.model.streaming_model import StreamingModel
from mmgat.stream.audio.windows import WindowAssembler
from mmgat.stream.recognition.graph_buffer import GraphBuffer
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings
from tests.conftest import melody, similarities_of, untrained_mmgat, untrained_model

SECOND = 16_000


@settings(deadline=None, max_examples=60)
@given(
    n_nodes=st.integers(1, 7),
    jumps=st.lists(st.integers(0, 9), min_size=1, max_size=20),
    seed=st.integers(0, 100),
)
def test_the_rolling_graph_has_the_last_seconds_nodes_at_every_step(
    n_nodes: int, jumps: list[int], seed: int
) -> None:
    rolling, rng = GraphBuffer(n_nodes, 128), np.random.default_rng(seed)
    rows: dict[int, np.ndarray] = {}
    step = 0
    for jump in jumps:
        step += jump  # 0 replaces the newest second, more than 1 is a gap
        rows[step] = rng.normal(size=128).astype(np.float32)
        rolling.begin_node(step, step * SECOND)
        rolling.set_node(rows[step], np.zeros(n_nodes, np.float32))

        kept = {s: row for s, row in rows.items() if s > step - n_nodes}
        slots = rolling.slots
        assert rolling.starts == [s * SECOND for s in kept]
        assert rolling.newest.nonzero()[0].tolist() == [slots[-1]]
        assert rolling.mask.nonzero()[0].tolist() == sorted(slots)
        assert rolling.steps[slots].tolist() == list(kept)
        np.testing.assert_array_equal(rolling.nodes[slots], list(kept.values()))


def test_the_network_says_of_the_ring_what_it_says_of_the_nodes_in_order() -> None:
    network = TorchBackend(ConvNetEmbedder(), untrained_mmgat())
    rng = np.random.default_rng(3)
    log_mel = rng.normal(-2, 1, (12, 1, 96, 64)).astype(np.float32)
    ring = GraphBuffer(5, 128)
    rows = np.zeros((12, 128), np.float32)
    for step, example in enumerate(log_mel):
        ring.begin_node(step, step * SECOND)
        found = network(example, GraphBuffer.collate([ring]))
        rows[step] = found.embeddings[0]
        ring.set_node(rows[step], found.row[0])
    newest = np.arange(5)[None] == 4
    seconds = np.arange(7, 12)[None]
    nodes = rows[None, 7:]
    mask = np.ones((1, 5), bool)
    in_order = Graphs(nodes, mask, seconds, newest, similarities_of(nodes))
    ordered = network(log_mel[-1], in_order)
    np.testing.assert_allclose(found.scores, ordered.scores, atol=1e-5)
    np.testing.assert_allclose(found.evidence[:, ring.slots], ordered.evidence, atol=1e-5)


@pytest.mark.parametrize("metric", sorted(SIMILARITIES))
@settings(deadline=None, max_examples=25)
@given(
    n_nodes=st.integers(1, 60),
    jumps=st.lists(
        st.tuples(st.one_of(st.integers(0, 3), st.integers(50, 70)), st.booleans()),
        min_size=1,
        max_size=90,
    ),
    seed=st.integers(0, 100),
)
def test_the_rolling_matrix_equals_one_built_from_its_nodes_at_every_step(
    metric: str, n_nodes: int, jumps: list[tuple[int, bool]], seed: int
) -> None:
    """With gaps (long jumps), seconds that come again (0), and seconds found silent afterwards."""
    rolling, rng = GraphBuffer(n_nodes, 128), np.random.default_rng(seed)
    network = StreamingModel(torch.nn.Identity(), untrained_mmgat(similarity=metric, n_layers=0))
    step = 0
    for jump, silent in jumps:
        step += jump
        rolling.begin_node(step, step * SECOND)
        embedding = rng.normal(size=(1, 128)).astype(np.float32)
        graph = map(torch.from_numpy, GraphBuffer.collate([rolling]))
        with torch.inference_mode():
            embeddings, *_, row = network(torch.from_numpy(embedding), *graph)
        rolling.set_node(embeddings[0].numpy(), row[0].numpy())
        if silent:
            rolling.drop_newest()
            step += 1
        rebuilt = similarities_of(rolling.nodes[rolling.slots], metric)
        np.testing.assert_allclose(rolling.edges(), rebuilt, atol=1e-6)


def test_every_phase_has_a_matrix_of_its_own() -> None:
    recognizer = Recognizer(untrained_model(), StreamSettings(hop_s=0.25, nodes=3))
    samples = melody(6.0, SECOND)[:, 0]
    state, assembler = recognizer.new_state(), WindowAssembler(4_000, 15_600, SECOND)
    for window in assembler.push(samples):
        recognizer([(state, window)])
        graph = state.graph_of(window)
        expected = similarities_of(graph.nodes[graph.slots])
        np.testing.assert_allclose(graph.edges(), expected, atol=1e-6)
    assert len(graph.slots) == 3


def test_the_graph_has_the_types_that_the_network_takes() -> None:
    ring = GraphBuffer(3, 128)
    ring.begin_node(0, 0)
    types = [array.dtype for array in GraphBuffer.collate([ring])]
    assert types == [np.float32, bool, np.int64, bool, np.float32]


def test_a_gap_longer_than_the_graph_forgets_all_that_was_before() -> None:
    rolling = GraphBuffer(5, 128)
    for step in (0, 1, 2, 9):
        rolling.begin_node(step, step * SECOND)
    assert rolling.starts == [9 * SECOND]


def test_a_node_from_before_the_newest_is_refused() -> None:
    rolling = GraphBuffer(5, 128)
    rolling.begin_node(3, 3 * SECOND)
    with pytest.raises(ValueError, match="at 3 s or later, found one at 2 s"):
        rolling.begin_node(2, 2 * SECOND)


def test_a_dropped_node_is_gone_and_its_slot_is_the_next_one() -> None:
    ring = GraphBuffer(3, 128)
    for step in range(5):
        ring.begin_node(step, step * SECOND)
        ring.set_node(np.full(128, step, np.float32), np.zeros(3, np.float32))
        if step in (1, 3):
            ring.drop_newest()
    assert ring.starts == [2 * SECOND, 4 * SECOND]
    assert [ring.nodes[slot, 0] for slot in ring.slots] == [2.0, 4.0]
    assert ring.mask.sum() == 2
    assert ring.newest.sum() == 1
