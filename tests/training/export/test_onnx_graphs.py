import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mmgat.model.backends.loading import load_model
from mmgat.model.backends.onnx import OnnxBackend, embedder_path, graph_paths
from mmgat.model.backends.torch import TorchBackend, TorchEmbedder, load_torch_backend
from mmgat.model.card import checked_card, checkpoint_path
from mmgat.model.checkpoint import load_checkpoint, save_checkpoint
from mmgat.training.export.onnx_graphs import export
from tests.conftest import log_mel_of, random_graphs, untrained_card, untrained_mmgat


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint without its embedder, exported."""
    path = tmp_path_factory.mktemp("bare") / "bare.safetensors"
    save_checkpoint(
        path, untrained_card(embedder="vggish", variant="relu+pca+8bit"), untrained_mmgat()
    )
    export(path)
    return path


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped compact checkpoint with its embedder, exported anew."""
    shipped, folder = checkpoint_path("compact"), tmp_path_factory.mktemp("carried")
    for path in (shipped, shipped.with_suffix(".json")):
        shutil.copy(path, folder)
    export(folder / shipped.name)
    return folder / shipped.name


def test_an_export_gives_the_shipped_graphs(carried: Path) -> None:
    shipped = checkpoint_path("compact")
    exported, expected = ((*graph_paths(path), embedder_path(path)) for path in (carried, shipped))
    for ours, theirs in zip(exported, expected, strict=True):
        assert ours.stat().st_size == pytest.approx(theirs.stat().st_size, rel=0.02)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("n_streams", "n_nodes"), [(1, 1), (1, 4), (1, 5), (1, 10), (3, 16), (2, 17), (5, 60)]
)
def test_a_traced_network_gives_the_numbers_of_torch(
    carried: Path, n_streams: int, n_nodes: int
) -> None:
    model = load_model(str(carried))
    assert isinstance(model.backend, OnnxBackend)
    front_end = model.embedder.front_end
    graphs = random_graphs(n_streams, n_nodes, model.embedder.embedding_size)
    log_mel = log_mel_of(n_streams, (front_end.n_frames, front_end.n_bands))
    found = model.backend(log_mel, graphs)
    expected = load_torch_backend(*checked_card(carried), "cpu")[0](log_mel, graphs)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-4)
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
