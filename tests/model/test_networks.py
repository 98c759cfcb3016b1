"""The two ways to compute a network, and how one of them is chosen."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from model.card import checkpoint_path
from model.errors import CheckpointError, ComputeError
from model.network import Graphs, Network
from model.networks import load_network
from model.onnx_network import OnnxNetwork
from model.torch_network import TorchNetwork, load_torch_network

COMPACT = checkpoint_path("compact")


@pytest.fixture(scope="module")
def onnx() -> Network:
    return load_network("compact")[1]


@pytest.fixture(scope="module")
def in_torch() -> Network:
    return load_torch_network(COMPACT, "cpu")[0]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for suffix in (".safetensors", ".json", ".onnx"):
        shutil.copy(COMPACT.with_suffix(suffix), tmp_path)
    return tmp_path / COMPACT.name


@pytest.mark.parametrize(
    ("n_streams", "n_nodes"), [(1, 1), (1, 4), (1, 5), (1, 10), (3, 16), (2, 17), (5, 60)]
)
def test_onnx_runtime_gives_the_numbers_of_torch(
    onnx: Network, in_torch: Network, n_streams: int, n_nodes: int
) -> None:
    rng = np.random.default_rng(n_nodes)
    log_mel = rng.normal(-2, 1, (n_streams, 96, 64)).astype(np.float32)
    nodes = rng.normal(0, 1, (n_streams, n_nodes, 128)).astype(np.float32)
    newest = rng.permuted(np.arange(n_nodes) == np.zeros((n_streams, 1)), axis=1)
    mask = (rng.random((n_streams, n_nodes)) < 0.8) | newest
    steps = rng.permuted(np.tile(np.arange(n_nodes), (n_streams, 1)), axis=1)
    found, expected = (
        network(log_mel, Graphs(nodes, mask, steps, newest)) for network in (onnx, in_torch)
    )
    np.testing.assert_allclose(found.rows, expected.rows, atol=1e-5)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
    np.testing.assert_allclose(found.evidence, expected.evidence, atol=1e-5)
    assert (found.evidence[~mask] == 0).all()


def test_a_checkpoint_with_a_graph_runs_in_onnx_runtime_and_one_without_in_torch(
    copied: Path,
) -> None:
    card, network, where = load_network(str(copied))
    assert (card.name, network.device) == ("compact", "cpu")
    assert isinstance(network, OnnxNetwork)
    assert where == "computing on the CPU with ONNX Runtime"
    copied.with_suffix(".onnx").unlink()
    assert isinstance(load_network(str(copied), "cpu")[1], TorchNetwork)


def test_a_graph_of_other_weights_is_refused(copied: Path) -> None:
    graph = copied.with_suffix(".onnx")
    graph.write_bytes(graph.read_bytes().replace(b"weights_sha256", b"weights_other_"))
    with pytest.raises(CheckpointError, match="the graph of other weights.*found none.*export"):
        load_network(str(copied))


def test_a_damaged_graph_is_refused(copied: Path) -> None:
    copied.with_suffix(".onnx").write_bytes(b"no graph")
    with pytest.raises(CheckpointError, match=r"expected the ONNX graph of 'compact' in .*onnx"):
        load_network(str(copied))


def test_without_torch_what_needs_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "model.torch_network")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        ComputeError, match=r"torch for model 'compact' with .*mmgat-stream\[torch\]"
    ):
        load_network("compact", "cuda")
