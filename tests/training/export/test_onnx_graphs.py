from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
import torch

from mmgat.model.backends.onnx import OnnxBackend, graph_kind, graph_paths
from mmgat.model.backends.torch import TorchBackend, TorchEmbedder, load_torch_backend
from mmgat.model.card import checked_card, sha256_of
from mmgat.model.checkpoint import load_checkpoint, save_checkpoint
from mmgat.model.embedders.compact import CompactEmbedder
from mmgat.model.graph.instance_graph import GraphLayout
from mmgat.model.streaming_model import StreamingModel
from mmgat.training.export.onnx_graphs import export, traced
from tests.conftest import log_mel_of, random_graphs, untrained_card, untrained_mmgat


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint without its embedder, exported."""
    path = tmp_path_factory.mktemp("bare") / "bare.safetensors"
    save_checkpoint(path, untrained_card(embedder="vggish"), untrained_mmgat())
    export(path)
    return path


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> OnnxBackend:
    """The shipped compact network, traced and not in 8 bits."""
    checkpoint, embedder = load_checkpoint("compact"), CompactEmbedder()
    embedder.load_state_dict(checkpoint.embedder_state)
    weights = tmp_path_factory.mktemp("exact") / "exact.safetensors"
    for path, layout in zip(graph_paths(weights), GraphLayout, strict=True):
        graph = traced(StreamingModel(embedder, checkpoint.mmgat, layout))
        onnx.save(graph, path)
    hashes = {graph_kind(path): sha256_of(path) for path in graph_paths(weights)}
    return OnnxBackend(weights, msgspec.structs.replace(checkpoint.card, graphs=hashes))


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("n_streams", "n_nodes"), [(1, 1), (1, 4), (1, 5), (1, 10), (3, 16), (2, 17), (5, 60)]
)
def test_a_traced_network_gives_the_numbers_of_torch(
    exact: OnnxBackend, n_streams: int, n_nodes: int
) -> None:
    graphs, log_mel = random_graphs(n_streams, n_nodes), log_mel_of(n_streams)
    found = exact(log_mel, graphs)
    expected = load_torch_backend(*checked_card("compact"), "cpu")[0](log_mel, graphs)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert (found.evidence[~graphs.mask] == 0).all()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("n_nodes", [1, 8, 60])
def test_without_its_embedder_graphs_take_embeddings_and_refer_to_the_weights(
    n_nodes: int, bare: Path
) -> None:
    for path in graph_paths(bare):
        assert path.stat().st_size < bare.stat().st_size / 10
        assert str(Path(__file__).parents[3]).encode() not in path.read_bytes()
    graphs, embeddings = random_graphs(2, n_nodes), log_mel_of(2)[:, :2].reshape(2, 128)
    checkpoint = load_checkpoint(bare)
    network = OnnxBackend(bare, checkpoint.card, TorchEmbedder(torch.nn.Flatten()))
    expected = TorchBackend(torch.nn.Flatten(), checkpoint.mmgat)(embeddings, graphs)
    for ours, theirs in zip(network(embeddings, graphs), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
