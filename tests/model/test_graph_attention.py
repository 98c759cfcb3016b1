import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GATv2Conv

from model.graph_attention import DenseGATv2, MultiScaleLayer


@pytest.mark.parametrize("heads", [1, 4])
def test_equals_torch_geometrics_gatv2_on_the_same_weights(heads: int) -> None:
    torch.manual_seed(0)
    ours = DenseGATv2(32, 16, n_heads=heads)
    theirs = GATv2Conv(32, 16 // heads, heads=heads, edge_dim=1, add_self_loops=False)
    torch.nn.init.normal_(ours.bias)
    theirs.load_state_dict(ours.state_dict())

    x, edges = torch.randn(3, 9, 32), torch.randn(3, 9, 9)
    adjacency = (torch.rand(3, 9, 9) < 0.4) | torch.eye(9, dtype=torch.bool)
    bags = []
    for nodes, weights, adjacent in zip(x, edges, adjacency, strict=True):
        receiver, sender = adjacent.nonzero(as_tuple=True)
        edge_index = torch.stack([sender, receiver])
        bags.append(Data(nodes, edge_index, weights[receiver, sender].unsqueeze(-1)))
    batch = Batch.from_data_list(bags)
    expected = theirs(batch.x, batch.edge_index, batch.edge_attr).reshape(3, 9, 16)
    assert torch.allclose(ours(x, edges, adjacency), expected, atol=1e-5)


def test_attention_is_a_distribution_over_the_neighbours() -> None:
    torch.manual_seed(0)
    layer = DenseGATv2(8, 8, n_heads=2)
    adjacency = torch.eye(6, dtype=torch.bool) | (torch.rand(1, 6, 6) < 0.3)
    weights, _ = layer.attention(torch.randn(1, 6, 8), torch.randn(1, 6, 6), adjacency)
    assert torch.allclose(weights.sum(2), torch.ones(1, 6, 2))
    assert (weights[~adjacency] == 0).all()


def test_an_untrained_layer_is_nearly_the_identity() -> None:
    torch.manual_seed(0)
    layer = MultiScaleLayer(64, n_scales=3, n_heads=4, dropout=0.0)
    x = torch.randn(2, 10, 64)
    y = layer(x, torch.randn(2, 10, 10), torch.ones(2, 3, 10, 10, dtype=torch.bool))
    assert (y - x).norm() < 0.2 * x.norm()
    assert not torch.equal(y, x)


def test_heads_that_do_not_divide_the_size_are_refused() -> None:
    with pytest.raises(ValueError, match="divisible by 3 heads, found 16"):
        DenseGATv2(8, 16, n_heads=3)
