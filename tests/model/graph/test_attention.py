import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GATv2Conv

from mmgat.model.graph.attention import GATv2, MultiScaleLayer
from mmgat.model.graph.instance_graph import (
    MAX_DENSE_NODES,
    GraphLayout,
    InstanceGraph,
    Scale,
    neighbourhoods,
)

SCALES = ("temporal-1", "near-3", "wide-0.1")


def graphs(n_bags: int = 3, n_nodes: int = 9, real: int = 9) -> InstanceGraph:
    generator = torch.Generator().manual_seed(0)
    nodes = torch.randn(n_bags, n_nodes, 128, generator=generator)
    return InstanceGraph.from_nodes(nodes, (torch.arange(n_nodes) < real).expand(n_bags, -1))


def scales(names: tuple[str, ...] = SCALES) -> list[Scale]:
    return [Scale.parse(name) for name in names]


def as_edges(graph: InstanceGraph, scale: Scale, bag: int) -> tuple[torch.Tensor, torch.Tensor]:
    """torch-geometric's edge_index [2, E] and edge_attr [E, 1]."""
    linked = ~scale.neighbours(graph, GraphLayout.DENSE).absent[0, bag]
    receiver, sender = linked.nonzero(as_tuple=True)
    edges = graph.similarity[bag][receiver, sender].unsqueeze(-1)
    return torch.stack([sender, receiver]), edges


def of_scale(layer: GATv2, index: int) -> dict[str, torch.Tensor]:
    """A scale's share of the weights: of the heads in ``att``, of the outputs in all others."""
    return {
        name: weight.chunk(layer.n_scales, dim=1 if name == "att" else 0)[index]
        for name, weight in layer.state_dict().items()
    }


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("names", [*((name,) for name in SCALES), SCALES, SCALES[:2]])
@pytest.mark.parametrize("n_nodes", [3, MAX_DENSE_NODES // 3, MAX_DENSE_NODES // 3 + 1, 30])
def test_equals_torch_geometrics_gatv2_on_the_same_weights(
    heads: int, names: tuple[str, ...], n_nodes: int
) -> None:
    torch.manual_seed(0)
    ours = GATv2(32, 16, n_heads=heads, n_scales=len(names))
    torch.nn.init.normal_(ours.bias)
    graph = graphs(n_nodes=n_nodes, real=n_nodes - 2)
    x = torch.randn(3, n_nodes, 32)
    found = ours(x, neighbourhoods(graph, scales(names)))
    assert found.shape == (3, n_nodes, len(names), 16)
    for index, scale in enumerate(scales(names)):
        theirs = GATv2Conv(32, 16 // heads, heads=heads, edge_dim=1, add_self_loops=False)
        theirs.load_state_dict(of_scale(ours, index))
        batch = Batch.from_data_list([Data(x[b], *as_edges(graph, scale, b)) for b in range(3)])
        expected = theirs(batch.x, batch.edge_index, batch.edge_attr).view(3, n_nodes, 16)
        assert torch.allclose(found[:, :, index], expected, atol=1e-5)


def test_scales_with_the_same_edges_are_more_heads_of_torch_geometrics() -> None:
    torch.manual_seed(0)
    ours = GATv2(32, 16, n_heads=2, n_scales=3)
    theirs = GATv2Conv(32, 8, heads=6, edge_dim=1, add_self_loops=False)
    theirs.load_state_dict(ours.state_dict())
    graph, scale = graphs(1), Scale.parse("wide-0.1")
    x = torch.randn(1, 9, 32)
    found = ours(x, neighbourhoods(graph, [scale, scale, scale]))
    expected = theirs(x[0], *as_edges(graph, scale, 0))
    assert torch.allclose(found[0].flatten(1), expected, atol=1e-5)


@pytest.mark.parametrize("n_nodes", [6, MAX_DENSE_NODES + 4])
def test_attention_is_a_distribution_over_the_neighbours(n_nodes: int) -> None:
    torch.manual_seed(0)
    layer = GATv2(8, 8, n_heads=2, n_scales=3)
    for near in neighbourhoods(graphs(1, n_nodes, real=4), scales()):
        logits = torch.randn(2 * near.n_scales, *near.similarity.shape)
        weights = layer.weights(logits, near)
        assert torch.allclose(weights.sum(-1), torch.ones(2 * near.n_scales, 1, n_nodes))
        assert (weights.unflatten(0, (-1, 2)).transpose(0, 1)[:, near.absent] == 0).all()


def test_neighbours_on_too_few_scales_are_refused() -> None:
    near = neighbourhoods(graphs(), scales(SCALES[:2]))
    with pytest.raises(ValueError, match="expected neighbours on 3 scales, found 2"):
        GATv2(8, 8, n_heads=2, n_scales=3)(torch.randn(3, 9, 8), near)


def test_an_untrained_layer_is_nearly_the_identity() -> None:
    torch.manual_seed(0)
    layer = MultiScaleLayer(64, n_scales=3, n_heads=4, dropout=0.0)
    x = torch.randn(2, 10, 64)
    y = layer(x, neighbourhoods(graphs(2, 10, 10), scales()))
    assert (y - x).norm() < 0.2 * x.norm()
    assert not torch.equal(y, x)


@pytest.mark.parametrize("scale", range(3))
def test_the_gate_chooses_among_the_scales_of_each_node(scale: int) -> None:
    torch.manual_seed(0)
    layer = MultiScaleLayer(64, n_scales=3, n_heads=4, dropout=0.0).eval()
    x = torch.randn(2, 10, 64)
    neighbours = neighbourhoods(graphs(2, 10, 10), scales())
    with torch.no_grad():
        layer.gate.weight.zero_()
        layer.gate.bias.copy_(torch.tensor([100.0 * (n == scale) for n in range(3)]))
        chosen = layer.attention(layer.norm(x), neighbours)[:, :, scale]
        expected = x + layer.residual_scale * torch.nn.functional.elu(chosen)
        torch.testing.assert_close(layer(x, neighbours), expected)


def test_heads_that_do_not_divide_the_size_are_refused() -> None:
    with pytest.raises(ValueError, match="divisible by 3 heads, found 16"):
        GATv2(8, 16, n_heads=3)
