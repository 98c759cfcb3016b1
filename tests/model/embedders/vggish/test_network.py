"""VGGish with random weights in the published format; the real ones are not to be had everywhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvggish import torchvggish as release

from mmgat.model.embedders.vggish.network import (
    NETWORK_FILE,
    PCA_FILE,
    VARIANTS,
    VGGishEmbedder,
    dequantize,
    hub_folder,
    load_vggish,
)
from mmgat.model.errors import WeightsError


@pytest.fixture(scope="module")
def theirs() -> release.VGG:
    torch.manual_seed(0)
    return release.VGG(release.make_layers(), postprocess=False).eval()


@pytest.fixture(scope="module")
def pca() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    vectors, _ = np.linalg.qr(rng.normal(size=(128, 128)))
    means = rng.normal(0, 0.01, (128, 1))
    return {"pca_eigen_vectors": 30 * vectors, "pca_means": means}


@pytest.fixture(scope="module")
def folder(
    theirs: release.VGG,
    pca: dict[str, np.ndarray],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Both files pickled as torchvggish's release has them, under names without a hash."""
    folder = tmp_path_factory.mktemp("weights")
    torch.save(theirs.state_dict(), folder / "vggish.pth")
    torch.save(pca, folder / PCA_FILE)
    digits = hashlib.sha256((folder / PCA_FILE).read_bytes()).hexdigest()[:8]
    (folder / PCA_FILE).rename(folder / f"vggish_pca_params-{digits}.pth")
    return folder


@pytest.fixture
def published(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The PCA file's published name carries the real file's hash; here it is the random one's."""
    name = next(folder.glob("vggish_pca_params-*.pth")).name
    monkeypatch.setattr("mmgat.model.embedders.vggish.network.PCA_FILE", name)
    return folder / "vggish.pth"


def log_mel() -> torch.Tensor:
    return torch.randn(3, 96, 64, generator=torch.Generator().manual_seed(2))


def test_network_equals_torchvggishs(theirs: release.VGG, published: Path) -> None:
    ours = load_vggish("relu+pca+8bit", published)
    with torch.inference_mode():
        assert torch.allclose(ours.raw(log_mel()), theirs(log_mel()[:, None]), atol=1e-6)


def test_postprocessing_is_torchvggishs_but_truncated(
    theirs: release.VGG, pca: dict[str, np.ndarray], published: Path
) -> None:
    ours = load_vggish("relu+pca+8bit", published)
    postprocessor = object.__new__(release.Postprocessor)
    postprocessor._pca_matrix = torch.as_tensor(pca["pca_eigen_vectors"]).float()
    postprocessor._pca_means = torch.as_tensor(pca["pca_means"]).float()
    with torch.inference_mode():
        rounded = postprocessor.postprocess(theirs(log_mel()[:, None]))
        truncated = ours.quantized(log_mel())
    assert set((rounded - truncated).unique().tolist()) <= {0.0, 1.0}
    assert truncated.unique().numel() > 20


def test_the_variants_differ_by_the_last_relu(published: Path) -> None:
    pre, relu = (load_vggish(variant, published) for variant in VARIANTS)
    with torch.inference_mode():
        assert torch.equal(pre.raw(log_mel()).relu(), relu.raw(log_mel()))
        assert (pre.raw(log_mel()) < 0).any()


def test_rows_are_centred_and_one_window_keeps_its_batch_axis(published: Path) -> None:
    with torch.inference_mode():
        rows = load_vggish(weights=published)(log_mel()[:1])
    assert rows.shape == (1, 128)
    assert rows.abs().max() <= 2
    assert dequantize(torch.tensor([0.0, 255.0])).tolist() == [-2.0, 2.0]


def test_missing_weights_name_files_addresses_places_and_the_flag(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        load_vggish(weights=tmp_path)
    text = str(caught.value)
    for part in (NETWORK_FILE, PCA_FILE, "github.com/harritaylor", str(tmp_path), "--weights"):
        assert part in text


def test_a_published_name_with_another_hash_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / NETWORK_FILE).write_bytes(b"damaged")
    (tmp_path / PCA_FILE).write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="expected a sha256 that begins 10086976"):
        load_vggish(weights=tmp_path)


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path, published: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, ("raise SystemExit('ran')",))

    evil = tmp_path / "evil.pth"
    torch.save({"features.0.weight": Evil()}, evil)
    pca_file = next(published.parent.glob("vggish_pca*"))
    (tmp_path / pca_file.name).write_bytes(pca_file.read_bytes())
    with pytest.raises(WeightsError, match="damaged or not a weights file"):
        load_vggish(weights=evil)


def test_weights_of_another_network_are_refused(tmp_path: Path, published: Path) -> None:
    other = tmp_path / "other.pth"
    torch.save({"layer.weight": torch.zeros(2)}, other)
    pca_file = next(published.parent.glob("vggish_pca*"))
    (tmp_path / pca_file.name).write_bytes(pca_file.read_bytes())
    with pytest.raises(WeightsError, match="expected VGGish's tensors"):
        load_vggish(weights=other)


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(WeightsError, match="expected a VGGish variant"):
        VGGishEmbedder("yamnet")


@pytest.mark.skipif(
    not (hub_folder() / NETWORK_FILE).is_file(), reason="needs VGGish's published weights"
)
def test_published_weights_give_the_known_answers_of_tensorflows_smoke_test() -> None:
    """A 1 kHz sine: mean and deviation of the embedding as vggish_smoke_test.py prints them."""
    import soxr

    from mmgat.model.embedders.log_mel import examples

    sine = np.sin(2 * np.pi * 1000 * np.linspace(0, 3, 132_300))
    window = soxr.resample(sine, 44_100, 16_000)[None, :16_000].astype(np.float32)
    with torch.inference_mode():
        embedder = load_vggish("relu+pca+8bit")
        raw, quantized = (
            f(torch.from_numpy(examples(window))) for f in (embedder.raw, embedder.quantized)
        )
    assert raw.mean().item() == pytest.approx(0.131, rel=0.1)
    assert raw.std().item() == pytest.approx(0.238, rel=0.1)
    assert quantized.mean().item() == pytest.approx(123, rel=0.1)
    assert quantized.std().item() == pytest.approx(75, rel=0.1)
