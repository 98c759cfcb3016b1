import torch

from mmgat.model.mmgat import MMGAT, MMGATConfig
from mmgat.model.prior_context import PriorContext

TEXT = torch.randn(20, 384, generator=torch.Generator().manual_seed(0))
CONFIG = MMGATConfig(input_size=181, n_compared=128, has_prior=True, state_sizes=(64, 32))


def test_an_untrained_network_says_what_the_prior_logits_say() -> None:
    torch.manual_seed(0)
    network = MMGAT(CONFIG, TEXT).eval()
    nodes = torch.randn(2, 5, 181)
    output = network(nodes)
    assert network.prior is not None
    expected = network.prior(network.graph(nodes), nodes[..., 128:148])
    torch.testing.assert_close(output.instance_logits, expected)


def test_a_single_node_keeps_its_prior_logits_and_padding_is_not_heard() -> None:
    torch.manual_seed(0)
    network, context = MMGAT(CONFIG, TEXT).eval(), PriorContext()
    nodes = torch.randn(1, 3, 181)
    mask = torch.tensor([[True, False, False]])
    graph = network.graph(nodes, mask)
    torch.testing.assert_close(
        context(graph, nodes[..., 128:148])[:, 0], nodes[:, 0, 128:148], atol=1e-5, rtol=1e-5
    )


def test_similarity_compares_the_embedding_alone() -> None:
    network = MMGAT(CONFIG, TEXT).eval()
    nodes = torch.randn(1, 4, 181)
    other = nodes.clone()
    other[..., 128:] += 3
    torch.testing.assert_close(network.graph(nodes).similarity, network.graph(other).similarity)
