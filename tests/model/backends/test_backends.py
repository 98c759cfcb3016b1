"""The two ways to compute a network, and how one of them is chosen."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import soxr

from mmgat.model.backends.base import Floats, Graphs, InferenceBackend, Prediction, WholeGraphs
from mmgat.model.backends.loading import load_model
from mmgat.model.backends.onnx import OnnxBackend, embedder_path, graph_paths
from mmgat.model.backends.torch import TorchBackend, load_torch_backend
from mmgat.model.card import checked_card, checkpoint_path, sha256_of
from mmgat.model.embedders.registry import embedder_spec
from mmgat.model.embedders.tags import NODE_SIZE
from mmgat.model.errors import CheckpointError, ComputeError
from mmgat.stream.commands.live.inputs import demo_clip
from tests.conftest import log_mel_of, random_graphs, similarities_of

COMPACT = checkpoint_path("compact")


@pytest.fixture(scope="module")
def examples_of_demo() -> Floats:
    """float32 [n, frames, bands], the demo second by second."""
    front_end = embedder_spec("compact").front_end
    rate, size = front_end.sample_rate_hz, front_end.window_samples
    samples, rate_hz = soundfile.read(demo_clip(), dtype="float32", always_2d=True)
    mono = soxr.resample(samples.mean(axis=1), rate_hz, rate)
    windows = np.stack([mono[i : i + size] for i in range(0, len(mono) - size, rate)])
    return front_end.examples(windows)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for path in (
        COMPACT,
        COMPACT.with_suffix(".json"),
        embedder_path(COMPACT),
        *graph_paths(COMPACT),
    ):
        shutil.copy(path, tmp_path)
    return tmp_path / COMPACT.name


def sliding(rows: Floats, n_nodes: int) -> Graphs:
    """The graphs that end with each row, of all that have n_nodes."""
    nodes = np.stack([rows[i : i + n_nodes] for i in range(len(rows) - n_nodes + 1)])
    steps = np.tile(np.arange(n_nodes), (len(nodes), 1))
    mask = np.ones_like(steps, bool)
    return Graphs(nodes, mask, steps, steps == n_nodes - 1, similarities_of(nodes))


def one_by_one(network: InferenceBackend, log_mel: Floats, graphs: Graphs) -> Prediction:
    """As of one stream, a window at a time."""
    answers = [
        network(log_mel[i : i + 1], Graphs(*(part[i : i + 1] for part in graphs)))
        for i in range(len(log_mel))
    ]
    return Prediction(*map(np.concatenate, zip(*answers, strict=True)))


@pytest.mark.parametrize("n_nodes", [3, 10, 20])
def test_onnx_runtime_gives_the_scores_of_torch_on_real_sound(
    n_nodes: int, examples_of_demo: Floats
) -> None:
    in_onnx, in_torch = (
        load_model("compact").backend,
        load_torch_backend(*checked_card("compact"), "cpu")[0],
    )
    alone = sliding(np.zeros((len(examples_of_demo), NODE_SIZE), np.float32), 1)
    graphs = sliding(in_torch(examples_of_demo, alone).embeddings, n_nodes)
    newest = examples_of_demo[n_nodes - 1 :]
    found, expected = one_by_one(in_onnx, newest, graphs), in_torch(newest, graphs)
    np.testing.assert_allclose(found.embeddings, expected.embeddings, atol=2e-3)
    np.testing.assert_allclose(found.scores, expected.scores, atol=5e-4)
    np.testing.assert_allclose(found.evidence, expected.evidence, atol=5e-4)


@pytest.mark.parametrize("n_nodes", [3, 10, 20])
def test_whole_graphs_have_the_scores_of_those_that_windows_join(
    n_nodes: int, examples_of_demo: Floats
) -> None:
    in_onnx, in_torch = (
        load_model("compact").backend,
        load_torch_backend(*checked_card("compact"), "cpu")[0],
    )
    rows = in_onnx.embed(examples_of_demo[: n_nodes + 4])
    graphs = sliding(rows, n_nodes)
    joined = in_onnx(examples_of_demo[n_nodes - 1 : n_nodes + 4], graphs)
    np.testing.assert_allclose(rows[n_nodes - 1 :], joined.embeddings, atol=1e-4)
    whole = WholeGraphs(graphs.nodes, graphs.mask, graphs.steps, graphs.newest)
    for network in (in_onnx, in_torch):
        scores, bag_scores = network.read(whole)
        np.testing.assert_allclose(scores, joined.scores, atol=2e-5)
        np.testing.assert_allclose(bag_scores, joined.evidence.sum(axis=1), atol=2e-5)


@pytest.mark.parametrize("n_nodes", [4, 10, 20])
def test_what_is_said_of_a_stream_does_not_depend_on_the_others(
    n_nodes: int, examples_of_demo: Floats
) -> None:
    network, rng = load_model("compact").backend, np.random.default_rng(0)
    graphs = sliding(rng.normal(size=(n_nodes + 4, NODE_SIZE)).astype(np.float32), n_nodes)
    together = network(examples_of_demo[:5], graphs)
    for found, expected in zip(
        one_by_one(network, examples_of_demo[:5], graphs), together, strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_checkpoint_with_its_graphs_runs_in_onnx_runtime_and_one_without_in_torch(
    copied: Path,
) -> None:
    model = load_model(str(copied))
    assert (model.card.name, model.backend.device) == ("compact", "cpu")
    assert isinstance(model.backend, OnnxBackend)
    assert model.computes == "computing on the CPU with ONNX Runtime"
    graph_paths(copied)[0].unlink()
    assert isinstance(load_model(str(copied), "cpu").backend, TorchBackend)


@pytest.mark.parametrize("which", [0, 1, 3])
def test_a_graph_that_is_not_the_cards_is_refused(which: int, copied: Path) -> None:
    graph = (*graph_paths(copied), embedder_path(copied))[which]
    graph.write_bytes(graph.read_bytes()[:-4096] + bytes(4096))
    with pytest.raises(CheckpointError, match=r"onnx is damaged or not the file of its card"):
        load_model(str(copied))


def test_an_embedder_alone_gives_the_embeddings_of_the_whole_network(copied: Path) -> None:
    model = load_model(str(copied))
    graphs = random_graphs(3, 5, model.embedder.embedding_size)
    log_mel = log_mel_of(3, (model.embedder.front_end.n_frames, model.embedder.front_end.n_bands))
    expected = model.backend(log_mel, graphs).embeddings
    np.testing.assert_allclose(model.backend.embed(log_mel), expected, atol=1e-5)
    embedder_path(copied).unlink()
    as_a_part = load_model(str(copied)).backend.embed(log_mel)
    np.testing.assert_allclose(as_a_part, expected, atol=1e-5)


def test_a_file_that_is_no_graph_is_refused(copied: Path) -> None:
    graph = graph_paths(copied)[0]
    graph.write_bytes(b"no graph")
    card = json.loads(copied.with_suffix(".json").read_text())
    card["graphs"]["dense.onnx"] = sha256_of(graph)
    copied.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match=r"expected the ONNX graph of 'compact' in .*onnx"):
        load_model(str(copied))


def test_a_graph_of_another_version_is_refused_with_the_command_that_writes_it_anew(
    copied: Path,
) -> None:
    written = graph_paths(copied)[0]
    graph = onnx.load(written, load_external_data=False)
    named = {"similarity": "matrix"}
    for part in graph.graph.input:
        part.name = named.get(part.name, part.name)
    for node in graph.graph.node:
        node.input[:] = [named.get(name, name) for name in node.input]
    onnx.save(graph, written)
    card = json.loads(copied.with_suffix(".json").read_text())
    card["graphs"]["dense.onnx"] = sha256_of(written)
    copied.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match=r"found nodes, .*mmgat-train export compact writes"):
        load_model(str(copied))


@pytest.mark.parametrize("absolute", [True, False])
def test_a_graph_that_reads_a_file_elsewhere_is_refused(absolute: bool, copied: Path) -> None:
    elsewhere = copied.parent.parent / "elsewhere.bin"
    elsewhere.write_bytes(bytes(16))
    weights = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=1)
    location = str(elsewhere) if absolute else "../elsewhere.bin"
    weights.external_data.add(key="location", value=location)
    output = onnx.helper.make_tensor_value_info("y", 1, [4])
    identity = onnx.helper.make_node("Identity", ["w"], ["y"])
    graph = onnx.helper.make_graph([identity], "reads", [], [output], [weights])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    written = graph_paths(copied)[0]
    written.write_bytes(model.SerializeToString())
    card = json.loads(copied.with_suffix(".json").read_text())
    card["graphs"]["dense.onnx"] = sha256_of(written)
    copied.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match="(?i)expected the ONNX graph of .compact.*external"):
        load_model(str(copied))


def test_without_torch_what_needs_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mmgat.model.backends.torch")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        ComputeError, match=r"torch for model 'compact' with .*mmgat-stream\[torch\]"
    ):
        load_model("compact", "cuda")
