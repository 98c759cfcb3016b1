import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.instance_graph import InstanceGraph
from model.similarity import SIMILARITIES
from stream.graph_buffer import GraphBuffer
from tests.conftest import untrained_mmgat

SECOND = 16_000


def buffer(n_nodes: int, metric: str = "cosine") -> GraphBuffer:
    return GraphBuffer(n_nodes, SIMILARITIES[metric], torch.device("cpu"))


@settings(deadline=None, max_examples=40)
@given(
    n_nodes=st.integers(1, 7),
    jumps=st.lists(st.integers(0, 9), min_size=1, max_size=20),
    metric=st.sampled_from(sorted(SIMILARITIES)),
    seed=st.integers(0, 100),
)
def test_the_rolling_graph_equals_one_built_from_the_same_nodes_at_every_step(
    n_nodes: int, jumps: list[int], metric: str, seed: int
) -> None:
    rolling, generator = buffer(n_nodes, metric), torch.Generator().manual_seed(seed)
    rows: dict[int, torch.Tensor] = {}
    step = 0
    for jump in jumps:
        step += jump  # 0 replaces the newest second, more than 1 is a gap
        row = torch.randn(128, generator=generator)
        rows[step] = row
        newest = rolling.add(row, step * SECOND)
        kept = {s: r for s, r in rows.items() if s > step - n_nodes}
        assert rolling.starts == [s * SECOND for s in kept]
        assert rolling.slots[-1] == newest

        built = InstanceGraph.from_nodes(
            torch.stack(list(kept.values()))[None],
            steps=torch.tensor([list(kept)]),
            metric=SIMILARITIES[metric],
        )
        graph, slots = rolling.graph(), rolling.slots
        assert graph.mask[0].nonzero().flatten().tolist() == sorted(slots)
        assert torch.equal(graph.nodes[:, slots], built.nodes)
        assert torch.equal(graph.steps[:, slots], built.steps)
        assert torch.allclose(graph.similarity[:, slots][:, :, slots], built.similarity, atol=1e-6)


def test_mmgat_says_of_the_ring_what_it_says_of_the_nodes_in_order() -> None:
    model = untrained_mmgat()
    rolling = buffer(5)
    rows = torch.randn(12, 128, generator=torch.Generator().manual_seed(3))
    for step, row in enumerate(rows):
        rolling.add(row, step * SECOND)
    ring, ordered = model(rolling.graph()), model(model.graph(rows[None, 7:]))
    assert torch.allclose(ring.bag_scores, ordered.bag_scores, atol=1e-5)
    assert torch.allclose(ring.evidence[:, rolling.slots], ordered.evidence, atol=1e-5)


def test_a_gap_longer_than_the_graph_forgets_all_that_was_before() -> None:
    rolling = buffer(5)
    for step in (0, 1, 2, 9):
        rolling.add(torch.ones(128), step * SECOND)
    assert rolling.starts == [9 * SECOND]


def test_a_node_from_before_the_newest_is_refused() -> None:
    rolling = buffer(5)
    rolling.add(torch.ones(128), 3 * SECOND)
    with pytest.raises(ValueError, match="at 3 s or later, found one at 2 s"):
        rolling.add(torch.ones(128), 2 * SECOND)
