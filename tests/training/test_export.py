from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoint import load_checkpoint, save_checkpoint
from model.compact import CompactEmbedder
from model.network import Graphs
from model.networks import load_network
from model.onnx_network import OnnxNetwork
from model.torch_network import TorchEmbedder, TorchNetwork, load_torch_network
from tests.conftest import untrained_card, untrained_mmgat
from training.export import export


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint without its embedder, exported."""
    path = tmp_path_factory.mktemp("bare") / "bare.safetensors"
    save_checkpoint(path, untrained_card(embedder="vggish"), untrained_mmgat())
    export(path)
    return path


@pytest.mark.timeout(300)
def test_an_exported_checkpoint_runs_without_its_weights_in_the_graph(tmp_path: Path) -> None:
    path = tmp_path / "new.safetensors"
    mmgat = untrained_mmgat(similarity="pearson", scales=("temporal-2", "wide-0"))
    save_checkpoint(path, untrained_card(), mmgat, CompactEmbedder().state_dict())
    graph = export(path)
    assert graph == path.with_suffix(".onnx")
    assert graph.stat().st_size < path.stat().st_size / 10
    assert str(Path(__file__).parents[2]).encode() not in graph.read_bytes()

    network, expected = load_network(str(path))[1], load_torch_network(path, "cpu")[0]
    assert isinstance(network, OnnxNetwork)
    rng = np.random.default_rng(0)
    log_mel = rng.normal(-2, 1, (2, 96, 64)).astype(np.float32)
    graphs = Graphs(
        rng.normal(0, 1, (2, 7, 128)).astype(np.float32),
        np.ones((2, 7), bool),
        np.tile(np.arange(7), (2, 1)),
        np.tile(np.arange(7) == 6, (2, 1)),
    )
    for ours, theirs in zip(network(log_mel, graphs), expected(log_mel, graphs), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("n_nodes", [1, 10, 60])
def test_without_its_embedder_the_graph_begins_with_rows(n_nodes: int, bare: Path) -> None:
    rng = np.random.default_rng(n_nodes)
    mmgat, log_mel = load_checkpoint(bare).mmgat, rng.normal(size=(2, 128, 1)).astype(np.float32)
    graphs = Graphs(
        rng.normal(0, 1, (2, n_nodes, 128)).astype(np.float32),
        np.ones((2, n_nodes), bool),
        np.tile(np.arange(n_nodes), (2, 1)),
        np.tile(np.arange(n_nodes) == 0, (2, 1)),
    )
    flat = TorchEmbedder(torch.nn.Flatten())
    network = OnnxNetwork(bare.with_suffix(".onnx"), load_checkpoint(bare).card, flat)
    expected = TorchNetwork(torch.nn.Flatten(), mmgat)(log_mel, graphs)
    for ours, theirs in zip(network(log_mel, graphs), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
