import pytest
import torch

from mmgat.model.graph.instance_graph import (
    MAX_DENSE_NODES,
    GraphLayout,
    InstanceGraph,
    Neighbours,
    Scale,
    neighbourhoods,
)


def graph_of(similarity: list[list[float]], steps: list[int] | None = None) -> InstanceGraph:
    n = len(similarity)
    return InstanceGraph(
        nodes=torch.zeros(1, n, 128),
        mask=torch.ones(1, n, dtype=torch.bool),
        steps=torch.tensor([steps or list(range(n))]),
        similarity=torch.tensor([similarity]),
    )


SIMILAR = [[1.0, 0.9, 0.1, 0.5], [0.9, 1.0, 0.2, 0.3], [0.1, 0.2, 1.0, 0.8], [0.5, 0.3, 0.8, 1.0]]


def places(near: Neighbours) -> torch.Tensor:
    """Positions of the K nodes within their own bag."""
    n_bags, n_nodes = near.similarity.shape[:2]
    if near.index is None:
        return torch.arange(n_nodes).expand_as(near.similarity)
    return near.index - n_nodes * torch.arange(n_bags)[:, None, None]


def neighbours(scale: str, graph: InstanceGraph) -> list[list[int]]:
    near = Scale.parse(scale).neighbours(graph)
    rows = zip(places(near)[0], near.absent[0, 0], strict=True)
    return [sorted(index[~absent].tolist()) for index, absent in rows]


def test_temporal_neighbours_are_adjacent_seconds() -> None:
    assert neighbours("temporal-1", graph_of(SIMILAR)) == [[0, 1], [0, 1, 2], [1, 2, 3], [2, 3]]


def test_a_gap_in_time_is_no_neighbourhood() -> None:
    graph = graph_of(SIMILAR, steps=[0, 1, 7, 8])
    assert neighbours("temporal-1", graph) == [[0, 1], [0, 1], [2, 3], [2, 3]]


def test_near_neighbours_are_the_k_most_similar_and_oneself() -> None:
    assert neighbours("near-1", graph_of(SIMILAR)) == [[0, 1], [0, 1], [2, 3], [2, 3]]


def test_wide_neighbours_are_all_at_least_that_similar() -> None:
    assert neighbours("wide-0.4", graph_of(SIMILAR)) == [[0, 1, 3], [0, 1], [2, 3], [0, 2, 3]]


def test_padding_has_no_edges_but_to_itself() -> None:
    nodes = torch.randn(1, 5, 128, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[True, True, True, False, False]])
    graph = InstanceGraph.from_nodes(nodes, mask)
    for scale in ("temporal-2", "near-4", "wide--1"):
        assert neighbours(scale, graph) == [[0, 1, 2], [0, 1, 2], [0, 1, 2], [3], [4]]


def test_every_neighbour_comes_with_its_similarity() -> None:
    near = Scale.parse("near-2").neighbours(graph_of(SIMILAR))
    for node, (index, similarity) in enumerate(
        zip(places(near)[0], near.similarity[0], strict=True)
    ):
        assert similarity.tolist() == pytest.approx([SIMILAR[node][j] for j in index])


@pytest.mark.parametrize("text", ["near", "near-1.5", "hops-2", "wide-x", ""])
def test_what_is_no_scale_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a scale such as"):
        Scale.parse(text)


@pytest.mark.parametrize("scale", ["temporal-1", "near-3", "wide-0.1"])
def test_both_layouts_have_the_same_neighbours(scale: str) -> None:
    nodes = torch.randn(2, 9, 128, generator=torch.Generator().manual_seed(0))
    graph = InstanceGraph.from_nodes(nodes, torch.arange(9) < torch.tensor([[9], [6]]))
    sparse = Scale.parse(scale).neighbours(graph)
    dense = Scale.parse(scale).neighbours(graph, GraphLayout.DENSE)
    for bag in range(2):
        for node in range(9):
            named = places(sparse)[bag, node][~sparse.absent[0, bag, node]]
            assert (~dense.absent[0, bag, node]).nonzero().flatten().tolist() == sorted(named)


def test_gathered_values_are_those_of_the_neighbours() -> None:
    nodes = torch.randn(2, 9, 128, generator=torch.Generator().manual_seed(0))
    near = Scale.parse("near-3").neighbours(InstanceGraph.from_nodes(nodes))
    for bag in range(2):
        for node in range(9):
            assert torch.equal(near.gather(nodes)[bag, node], nodes[bag, places(near)[bag, node]])


@pytest.mark.parametrize("n_nodes", [2, MAX_DENSE_NODES, MAX_DENSE_NODES + 1])
def test_in_a_small_graph_all_scales_share_one_dense_tensor(n_nodes: int) -> None:
    graph = InstanceGraph.from_nodes(torch.randn(1, n_nodes, 128))
    scales = [Scale.parse(name) for name in ("temporal-1", "near-3", "wide-0.1")]
    found = neighbourhoods(graph, scales)
    assert [near.n_scales for near in found] == ([3] if n_nodes <= MAX_DENSE_NODES else [1, 1, 1])
    shared = [absent for near in found for absent in near.absent]
    for scale, absent in zip(scales, shared, strict=True):
        assert torch.equal(
            absent, scale.neighbours(graph, GraphLayout.for_batch(n_nodes)).absent[0]
        )
