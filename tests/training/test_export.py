from pathlib import Path

import numpy as np
import pytest

from model.card import Card
from model.checkpoint import save_checkpoint
from model.compact import CompactEmbedder
from model.network import Graphs
from model.networks import load_network
from model.onnx_network import OnnxNetwork
from model.torch_network import load_torch_network
from tests.conftest import untrained_card, untrained_mmgat
from training.errors import TrainingDataError
from training.export import export


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


def test_a_checkpoint_without_its_embedder_is_refused(tmp_path: Path) -> None:
    card: Card = untrained_card(embedder="vggish")
    save_checkpoint(tmp_path / "bare.safetensors", card, untrained_mmgat())
    with pytest.raises(TrainingDataError, match="without that of vggish: it runs in torch"):
        export(tmp_path / "bare")
