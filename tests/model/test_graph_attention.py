import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GATv2Conv

from model.graph_attention import GATv2, MultiScaleLayer
from model.instance_graph import InstanceGraph, Neighbours, Scale

SCALES = ("temporal-1", "near-3", "wide-0.1")


def graphs(n_bags: int = 3, n_nodes: int = 9, real: int = 9) -> InstanceGraph:
    generator = torch.Generator().manual_seed(0)
    nodes = torch.randn(n_bags, n_nodes, 128, generator=generator)
    return InstanceGraph.from_nodes(nodes, (torch.arange(n_nodes) < real).expand(n_bags, -1))


def as_edges(near: Neighbours, bag: int) -> tuple[torch.Tensor, torch.Tensor]:
    """torch-geometric's edge_index [2, E] and edge_attr [E, 1]."""
    receiver, place = near.present[bag].nonzero(as_tuple=True)
    sender = place if near.index is None else near.index[bag][receiver, place]
    return torch.stack([sender, receiver]), near.similarity[bag][receiver, place].unsqueeze(-1)


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("scale", SCALES)
def test_equals_torch_geometrics_gatv2_on_the_same_weights(heads: int, scale: str) -> None:
    torch.manual_seed(0)
    ours = GATv2(32, 16, n_heads=heads)
    theirs = GATv2Conv(32, 16 // heads, heads=heads, edge_dim=1, add_self_loops=False)
    torch.nn.init.normal_(ours.bias)
    theirs.load_state_dict(ours.state_dict())

    x, near = torch.randn(3, 9, 32), Scale.parse(scale).neighbours(graphs(real=7))
    batch = Batch.from_data_list([Data(x[bag], *as_edges(near, bag)) for bag in range(3)])
    expected = theirs(batch.x, batch.edge_index, batch.edge_attr).reshape(3, 9, 16)
    assert torch.allclose(ours(x, near), expected, atol=1e-5)


@pytest.mark.parametrize("scale", SCALES)
def test_attention_is_a_distribution_over_the_neighbours(scale: str) -> None:
    torch.manual_seed(0)
    layer = GATv2(8, 8, n_heads=2)
    near = Scale.parse(scale).neighbours(graphs(1, 6, real=4))
    weights, _ = layer.attention(torch.randn(1, 6, 8), near)
    assert torch.allclose(weights.sum(2), torch.ones(1, 6, 2))
    assert (weights[~near.present] == 0).all()


def test_an_untrained_layer_is_nearly_the_identity() -> None:
    torch.manual_seed(0)
    layer = MultiScaleLayer(64, n_scales=3, n_heads=4, dropout=0.0)
    x = torch.randn(2, 10, 64)
    y = layer(x, [Scale.parse(scale).neighbours(graphs(2, 10, 10)) for scale in SCALES])
    assert (y - x).norm() < 0.2 * x.norm()
    assert not torch.equal(y, x)


def test_heads_that_do_not_divide_the_size_are_refused() -> None:
    with pytest.raises(ValueError, match="divisible by 3 heads, found 16"):
        GATv2(8, 16, n_heads=3)
