"""VGGish with 8-bit layers, from random weights in the published form."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from mmgat.model.backends.loading import load_model
from mmgat.model.backends.onnx import OnnxBackend, OnnxEmbedder
from mmgat.model.embedders.vggish import cache
from mmgat.model.embedders.vggish import network as vggish
from mmgat.model.embedders.vggish.cache import cache_folder, converted
from mmgat.model.embedders.vggish.onnx_graph import BLOCK, quantized
from tests.conftest import random_graphs
from tools.benchmark.live import random_vggish

VARIANT = "pre-activation+pca+8bit"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Weights of a scale that real ones have: what goes in comes out as large."""
    with pytest.MonkeyPatch.context() as patch:  # what is set there is set back
        patch.setattr(vggish, "PCA_FILE", vggish.PCA_FILE)
        patch.setenv("XDG_CACHE_HOME", "")
        yield random_vggish(tmp_path_factory.mktemp("published"))


def log_mel(n: int) -> np.ndarray:
    return np.random.default_rng(0).normal(-2, 1, (n, 96, 64)).astype(np.float32)


def test_rows_point_where_those_of_torch_point(weights: Path) -> None:
    ours = OnnxEmbedder(converted(VARIANT, weights))(log_mel(4))
    with torch.inference_mode():
        theirs = vggish.load_vggish(VARIANT, weights)(torch.from_numpy(log_mel(4))).numpy()
    cosine = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    assert cosine.min() >= 0.999
    assert np.abs(theirs).mean() > 0.1


def test_a_row_does_not_depend_on_the_others_of_its_batch(weights: Path) -> None:
    embed = OnnxEmbedder(converted(VARIANT, weights))
    together = embed(log_mel(5))
    for index, row in enumerate(together):
        alone = embed(log_mel(5)[index : index + 1])[0]
        assert np.abs(alone - row).max() <= 4 / 255 + 1e-6  # a sum's rounding may turn a last digit


def test_it_is_converted_once_and_a_damaged_file_again(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = converted(VARIANT, weights)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert converted(VARIANT, weights).read_bytes() == whole
    monkeypatch.setitem(sys.modules, "mmgat.model.embedders.vggish.onnx_graph", None)
    assert converted(VARIANT, weights) == path  # nothing that converts is needed
    assert not list(cache_folder().glob("*.part"))
    with pytest.raises(ModuleNotFoundError):
        converted("relu+pca+8bit", weights)


def test_the_models_cpu_backend_takes_it_and_torch_is_the_way_without_it(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model("vggish", "cpu", weights)
    assert isinstance(model.backend, OnnxBackend)
    assert model.computes == "computing on the CPU with ONNX Runtime, vggish in 8 bits"
    graphs = random_graphs(2, 6)
    found = model.backend(log_mel(2), graphs)

    def unwritable(variant: str, weights: Path | None) -> Path:
        raise PermissionError("a cache that cannot be written")

    monkeypatch.setattr(cache, "converted", unwritable)
    in_torch = load_model("vggish", "cpu", weights)
    assert in_torch.computes == "computing on the CPU (asked for), MMGAT with ONNX Runtime"
    expected = in_torch.backend(log_mel(2), graphs)
    np.testing.assert_allclose(found.scores, expected.scores, atol=0.02)


def test_the_published_files_hashes_name_the_converted_one() -> None:
    names = (vggish.NETWORK_FILE, "vggish_pca_params-970ea276.pth")
    digits = [Path(name).stem.rpartition("-")[2] for name in names]
    assert "-".join(digits) == cache.PUBLISHED


def test_eight_bits_are_within_half_a_step_of_every_weight() -> None:
    weight = np.random.default_rng(0).normal(size=(3, 2 * BLOCK)).astype(np.float32)
    whole, scales = quantized(weight)
    assert (whole.shape, whole.dtype) == ((3, 2, BLOCK), np.uint8)
    steps = scales.reshape(3, 2, 1)
    back = (whole.astype(np.float32) - 128) * steps
    assert (np.abs(back - weight.reshape(3, 2, BLOCK)) <= steps / 2 + 1e-7).all()
    assert (np.abs(weight).reshape(3, 2, BLOCK).max(-1) / 127 == steps[..., 0]).all()


def test_in_half_precision_rows_point_where_they_did(weights: Path) -> None:
    network = vggish.load_vggish(VARIANT, weights)
    with torch.inference_mode():
        exact = network(torch.from_numpy(log_mel(1))).numpy()
        half = network.in_half()(torch.from_numpy(log_mel(1))).numpy()
    assert half.dtype == np.float32
    assert np.abs(half - exact).mean() < 1e-2
