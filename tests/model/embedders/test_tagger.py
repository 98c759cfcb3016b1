import pytest
import torch

from mmgat.model.embedders.mobilenet import N_FEATURES, SpectrogramMobileNet
from mmgat.model.embedders.registry import embedder_spec
from mmgat.model.embedders.tagger import TaggerEmbedder, load_tagger
from mmgat.model.embedders.tags import NODE_SIZE
from mmgat.model.errors import CheckpointError


def test_a_window_becomes_a_node_of_the_specified_size() -> None:
    torch.manual_seed(0)
    nodes = TaggerEmbedder().eval()(torch.randn(3, 200, 128))
    assert nodes.shape == (3, NODE_SIZE)
    assert embedder_spec("compact").embedding_size == NODE_SIZE


def test_windows_of_a_batch_do_not_hear_each_other() -> None:
    torch.manual_seed(0)
    network = SpectrogramMobileNet().eval()
    windows = torch.randn(2, 200, 128)
    together = network(windows)
    assert together.shape == (2, N_FEATURES)
    torch.testing.assert_close(network(windows[1:]), together[1:], atol=1e-5, rtol=1e-5)


def test_the_prior_of_a_label_follows_the_loudest_of_its_classes() -> None:
    torch.manual_seed(0)
    embedder = TaggerEmbedder().eval()
    for part in (embedder.prior_of_classes, embedder.prior_of_features):
        torch.nn.init.zeros_(part.weight)
    torch.nn.init.zeros_(embedder.prior_of_features.bias)
    embedder.label_classes[0] = torch.tensor([3, 5] * 5)
    seen: list[torch.Tensor] = []
    embedder.classes.register_forward_hook(lambda *call: seen.append(call[2]))
    nodes = embedder(torch.randn(4, 200, 128))
    torch.testing.assert_close(nodes[:, 128], seen[0][:, [3, 5]].amax(1))


def test_foreign_tensors_are_refused() -> None:
    with pytest.raises(CheckpointError, match="does not fit"):
        load_tagger({"blocks.0.weight": torch.zeros(1)}, "compact-3")
