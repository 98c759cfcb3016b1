import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgat.model.backends.base import Graphs
from mmgat.model.backends.torch import TorchBackend
from mmgat.model.embedders.convnet import ConvNetEmbedder
from mmgat.stream.recognition.graph_buffer import GraphBuffer
from tests.conftest import untrained_mmgat

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
    rolling, rng = GraphBuffer(n_nodes, 128, SECOND), np.random.default_rng(seed)
    rows: dict[int, np.ndarray] = {}
    step = 0
    for jump in jumps:
        step += jump  # 0 replaces the newest second, more than 1 is a gap
        rows[step] = rng.normal(size=128).astype(np.float32)
        rolling.begin_node(step * SECOND)
        rolling.set_embedding(rows[step])

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
    ring = GraphBuffer(5, 128, SECOND)
    rows = np.zeros((12, 128), np.float32)
    for step, example in enumerate(log_mel):
        ring.begin_node(step * SECOND)
        found = network(example, GraphBuffer.collate([ring]))
        rows[step] = found.embeddings[0]
        ring.set_embedding(rows[step])
    newest = np.arange(5)[None] == 4
    seconds = np.arange(7, 12)[None]
    in_order = Graphs(rows[None, 7:], np.ones((1, 5), bool), seconds, newest)
    ordered = network(log_mel[-1], in_order)
    np.testing.assert_allclose(found.scores, ordered.scores, atol=1e-5)
    np.testing.assert_allclose(found.evidence[:, ring.slots], ordered.evidence, atol=1e-5)


def test_a_gap_longer_than_the_graph_forgets_all_that_was_before() -> None:
    rolling = GraphBuffer(5, 128, SECOND)
    for step in (0, 1, 2, 9):
        rolling.begin_node(step * SECOND)
    assert rolling.starts == [9 * SECOND]


def test_a_node_from_before_the_newest_is_refused() -> None:
    rolling = GraphBuffer(5, 128, SECOND)
    rolling.begin_node(3 * SECOND)
    with pytest.raises(ValueError, match="at 3 s or later, found one at 2 s"):
        rolling.begin_node(2 * SECOND)


def test_a_dropped_node_is_gone_and_its_slot_is_the_next_one() -> None:
    ring = GraphBuffer(3, 128, SECOND)
    for step in range(5):
        ring.begin_node(step * SECOND)
        ring.set_embedding(np.full(128, step, np.float32))
        if step in (1, 3):
            ring.drop_newest()
    assert ring.starts == [2 * SECOND, 4 * SECOND]
    assert [ring.nodes[slot, 0] for slot in ring.slots] == [2.0, 4.0]
    assert ring.mask.sum() == 2
    assert ring.newest.sum() == 1
