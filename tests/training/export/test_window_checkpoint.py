import json
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file

from mmgat.model.backends.base import Graphs
from mmgat.model.backends.loading import load_model
from mmgat.model.checkpoint import load_checkpoint
from mmgat.model.embedders.base import EmbedderSpec
from mmgat.model.embedders.registry import spec_of
from mmgat.model.graph.instance_graph import GraphLayout
from mmgat.model.labels import LABELS
from mmgat.model.streaming_model import StreamingModel
from mmgat.training.comparators.systems.bosch_svm import SupportVectors
from mmgat.training.embedders.registry import waveform_embedder
from mmgat.training.errors import TrainingDataError
from mmgat.training.export.onnx_graphs import traced
from mmgat.training.export.window_checkpoint import publish_system
from mmgat.training.features.registry import feature_kind
from mmgat.training.fitting.fit import NETWORK
from mmgat.training.fitting.recipe import Recipe
from mmgat.training.fitting.run_folder import RESULT

SETTINGS = {
    "han-convnet": {"width": 0.0625},
    "audio-dnn": {"channels": [8, 8, 8]},
    "mtf-dnn": {},
    "multitask-convnet": {"width": 0.0625},
    "bosch-svm": {"shape": [164]},
    "aedcn": {"width": 0.0625},
}
FEATURES = {
    "han-convnet": "log-mel",
    "audio-dnn": "raw",
    "mtf-dnn": "texture",
    "multitask-convnet": "time-frequency-frames",
    "bosch-svm": "handcrafted-seconds",
    "aedcn": "mel-and-tempogram",
}


def a_run(name: str, folder: Path) -> torch.nn.Module:
    recipe = Recipe(
        network=name, data="yard", tags=False, embeddings=FEATURES[name], system=SETTINGS[name]
    )
    network = recipe.build(0).eval()
    if isinstance(network, SupportVectors):
        network.vectors = torch.nn.Parameter(torch.randn(30, 164), requires_grad=False)
        network.shares = torch.nn.Parameter(0.1 * torch.randn(30, 20), requires_grad=False)
    save_file(network.state_dict(), folder / NETWORK)
    description = {"recipe": name, **json.loads(msgspec.json.encode(recipe))}
    result = {"of": description, "tags": 0, "thresholds": dict.fromkeys(LABELS, 0.3)}
    (folder / RESULT).write_text(json.dumps(result))
    return network


@pytest.mark.parametrize("name", ["han-convnet", "audio-dnn"])
def test_live_scores_are_those_of_the_network(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = a_run(name, tmp_path)
    path = publish_system(tmp_path, tmp_path / "out", graphs=False)
    model = load_model(str(path), compute="cpu")
    frames, graphs = windows_and_graphs(model.embedder)
    found = model.backend(frames, graphs)
    with torch.inference_mode():
        expected = network(torch.from_numpy(as_in_the_yard(frames, name))).bag_scores.numpy()
    np.testing.assert_allclose(found.scores, expected, atol=1e-4)


def as_in_the_yard(frames: np.ndarray, name: str) -> np.ndarray:
    """Frames [n, T, bands] as bags of one window; in the yard nothing sounds above 8 kHz."""
    frames = frames.copy()
    if FEATURES[name] == "log-mel":
        frames[..., 115:] = np.log(1e-6)  # band 115 ends at 8012 Hz
    return frames.reshape(len(frames), 1, -1)


@pytest.mark.parametrize("name", ["mtf-dnn", "multitask-convnet", "bosch-svm"])
def test_features_are_computed_live_as_in_training(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = a_run(name, tmp_path)
    path = publish_system(tmp_path, tmp_path / "out")
    assert not list(path.parent.glob("*.onnx"))  # librosa is not exported
    assert path.stat().st_mode == path.with_suffix(".json").stat().st_mode  # for all who may read
    model = load_model(str(path), compute="cpu")
    frames, graphs = windows_and_graphs(model.embedder)
    found = model.backend(frames, graphs)
    stereo = np.pad(0.5 * frames.reshape(1, -1), ((0, 0), (0, 128_000))).repeat(2, 0)
    windows = feature_kind(FEATURES[name]).compute(2 * stereo)[:2]
    with torch.inference_mode():
        expected = network(torch.from_numpy(windows[:, None])).bag_scores.numpy()
    np.testing.assert_allclose(found.scores, expected, atol=1e-4)


def test_its_graph_in_onnx_gives_the_same_scores(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = a_run("han-convnet", tmp_path)
    checkpoint = load_checkpoint(publish_system(tmp_path, tmp_path / "out", graphs=False))
    frames, graphs = windows_and_graphs(spec_of(checkpoint.card))
    streaming = StreamingModel(checkpoint.embedder(), checkpoint.mmgat, GraphLayout.SPARSE)
    graph = traced(streaming, frames.shape[1:])
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    inputs = {"log_mel": frames[:1], **{name: v[:1] for name, v in graphs._asdict().items()}}
    (scores,) = session.run(["scores"], inputs)
    with torch.inference_mode():
        windows = as_in_the_yard(frames[:1], "han-convnet")
        expected = network(torch.from_numpy(windows)).bag_scores.numpy()
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_a_published_convnet_is_an_embedder_whose_rows_end_with_its_logits(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = a_run("han-convnet", tmp_path)
    path = publish_system(tmp_path, tmp_path / "out", graphs=False)
    embedder = waveform_embedder("convnet")
    sound = np.random.default_rng(0).normal(0, 0.1, 10 * 16_000).astype(np.float32)
    rows = embedder.seconds(sound, 16_000, embedder.load(path))
    windows = feature_kind("log-mel").compute(sound[None].repeat(2, 0))
    windows = as_in_the_yard(windows.reshape(10, 43, 128), "han-convnet")
    with torch.inference_mode():
        expected = network(torch.from_numpy(windows)).logits[:, 0].numpy()
    assert rows.shape == (10, 64 + 20)
    np.testing.assert_allclose(rows[:, 64:], expected, atol=1e-4)
    assert rows[:, :64].std() > 0.01


def test_an_embedder_of_another_system_is_refused(tmp_path: Path) -> None:
    a_run("audio-dnn", tmp_path)
    path = publish_system(tmp_path, tmp_path / "out", graphs=False)
    load = waveform_embedder("convnet").load
    with pytest.raises(TrainingDataError, match=r"as of ConvNet \(Han\), found AudioDNN; expected"):
        load(path)
    with pytest.raises(TrainingDataError, match=r"other\.json.*; expected as --weights"):
        load(path.rename(path.with_name("other.safetensors")))


def windows_and_graphs(embedder: EmbedderSpec) -> tuple[np.ndarray, Graphs]:
    """Two windows of noise, and the graphs of six nodes that they join."""
    rng, n_nodes = np.random.default_rng(0), 6
    front_end, size = embedder.front_end, embedder.embedding_size
    frames = rng.standard_normal((2, front_end.n_frames, front_end.n_bands)).astype(np.float32)
    steps = np.arange(n_nodes)[None].repeat(2, 0)
    graphs = Graphs(
        nodes=rng.standard_normal((2, n_nodes, size)).astype(np.float32),
        mask=np.ones((2, n_nodes), bool),
        steps=steps,
        newest=steps == n_nodes - 1,
        similarity=np.zeros((2, n_nodes, n_nodes), np.float32),
    )
    return frames, graphs


def test_what_hears_more_than_a_second_is_refused(tmp_path: Path) -> None:
    a_run("aedcn", tmp_path)
    with pytest.raises(
        TrainingDataError, match=r"expected a run of bosch-svm.* found aedcn on mel"
    ):
        publish_system(tmp_path, tmp_path / "out")
