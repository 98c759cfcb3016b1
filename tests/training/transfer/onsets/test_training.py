import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from mmgat.model.checkpoint import load_checkpoint
from mmgat.model.embedders.tagger import TaggerEmbedder
from mmgat.model.embedders.tags import NODE_SIZE, TAGS
from mmgat.model.mmgat import MMGAT
from mmgat.training.data.label_text import LabelText
from mmgat.training.data.published.audioset_names import LABEL_NAMES, LAST_MUSIC_NAME
from mmgat.training.transfer import heads
from mmgat.training.transfer.backbone import Tail
from mmgat.training.transfer.checkpoint import embedder_of, parts_of
from mmgat.training.transfer.onsets import embedder, graphs
from mmgat.training.transfer.tail import TargetedViews

Parts = tuple[Tail, heads.Nodes]


@pytest.fixture(scope="module")
def shipped() -> TaggerEmbedder:
    found = load_checkpoint("compact").embedder()
    assert isinstance(found, TaggerEmbedder)
    return found


@pytest.fixture(scope="module")
def kept(shipped: TaggerEmbedder) -> list[str]:
    """Names of the classes that the shipped embedder keeps, where it has them; fillers elsewhere."""
    found = [f"class {n}" for n in range(172)]
    for names, columns in zip(LABEL_NAMES.values(), shipped.label_classes.tolist(), strict=True):
        for name, column in zip(names, columns, strict=False):
            found[column] = name
    for name, column in zip(TAGS, shipped.tag_classes.tolist(), strict=True):
        found[column] = name
    last = max(n for n, name in enumerate(found) if name == f"class {n}")
    found[last] = LAST_MUSIC_NAME
    return found


@pytest.fixture(scope="module")
def start(shipped: TaggerEmbedder, kept: list[str]) -> Parts:
    return parts_of(shipped, kept)


def some(n_windows: int, label: int | None, seed: int) -> TargetedViews:
    """Twelve views; a label sounds in half of them, which are brighter."""
    rng = np.random.default_rng(seed)
    middle = rng.standard_normal((12, n_windows, 32, 8, 13)).astype(np.float16)
    targets = np.zeros((12, n_windows, 20), np.float32)
    if label is not None:
        targets[::2, :, label] = 1
        middle[::2] += 0.5
    return TargetedViews({"middle": middle}, targets, np.ones_like(targets))


@pytest.fixture(scope="module")
def onsets() -> dict[str, TargetedViews]:
    return {"music": some(7, 7, 0), "notes": some(7, 18, 1)}


@pytest.fixture(scope="module")
def full() -> dict[str, TargetedViews]:
    return {"music": some(10, None, 2), "noise": some(10, None, 3)}


def moved(found: Parts, start: Parts, full: dict[str, TargetedViews]) -> float:
    middle = torch.from_numpy(full["music"].part["middle"].astype(np.float32)).flatten(0, 1)
    with torch.inference_mode():
        nodes = (parts[1](*parts[0](middle)) for parts in (found, start))
        return float(embedder.away(*nodes))


def test_a_checkpoint_taken_apart_and_joined_again_is_the_same(
    shipped: TaggerEmbedder, start: Parts, kept: list[str]
) -> None:
    tail, nodes = start
    nodes = copy.deepcopy(nodes)
    nodes.prior.standardise(torch.randn(50, 384), 3 * torch.randn(50, len(kept)) - 4)
    joined = embedder_of(shipped.network, tail, nodes, kept)
    log_mel = torch.randn(2, 200, 128)
    assert torch.equal(joined.label_classes, shipped.label_classes)
    with torch.inference_mode():
        torch.testing.assert_close(joined(log_mel), shipped(log_mel), atol=1e-3, rtol=1e-3)


def test_the_embedder_learns_onsets_and_keeps_what_it_said_of_full_windows(
    start: Parts, onsets: dict[str, TargetedViews], full: dict[str, TargetedViews]
) -> None:
    found = {}
    for keep in (9.0, 0.0):
        settings = embedder.OnsetTailSettings(steps=20, batch=8, keep=keep, learning_rate=1e-3)
        found[keep] = embedder.train(*start, onsets, full, settings, lambda _: None)
    before = embedder.onset_loss(*start, onsets["music"])
    assert embedder.onset_loss(*found[9.0], onsets["music"]) < 0.9 * before
    assert moved(found[9.0], start, full) < 0.5 * moved(found[0.0], start, full)
    torch.testing.assert_close(found[9.0][1].embedding.weight, start[1].embedding.weight)


def test_a_pair_is_of_one_onset_and_a_second_apart() -> None:
    places = torch.arange(7.0).expand(200, 7)
    which = torch.arange(200.0)[:, None].expand(200, 7)
    windows = heads.EmbeddedViews(*(torch.stack([which, places], -1) for _ in range(4)))
    found, mask = graphs.pairs(windows, torch.Generator().manual_seed(0))
    assert mask[:, 0].all()
    first, second = found.features[:, 0], found.features[:, 1]
    assert torch.equal(first[:, 0], second[:, 0])
    assert torch.equal((second - first)[mask[:, 1], 1], torch.full((int(mask[:, 1].sum()),), 4.0))
    assert set(first[~mask[:, 1], 1].tolist()) == {0, 1, 2, 3}
    assert set(first[mask[:, 1], 1].tolist()) == {0, 1, 2}


@pytest.fixture(scope="module")
def embedded(
    start: Parts, onsets: dict[str, TargetedViews], full: dict[str, TargetedViews]
) -> list[dict[str, heads.EmbeddedViews]]:
    return [
        {kind: heads.embed_views(start[0], views) for kind, views in found.items()}
        for found in (onsets, full)
    ]


def test_mmgat_learns_graphs_that_begin_at_an_onset_and_keeps_the_others(
    start: Parts, embedded: list[dict[str, heads.EmbeddedViews]]
) -> None:
    torch.manual_seed(0)
    mmgat = heads.new_mmgat(LabelText(torch.randn(20, 384), "none", "none")).eval()
    nodes, (early, usual) = start[1], embedded

    def odds(nodes: heads.Nodes, mmgat: MMGAT, views: heads.EmbeddedViews) -> torch.Tensor:
        with torch.inference_mode():
            found = nodes(views.features, views.logits)
            assert found.shape[-1] == NODE_SIZE
            return graphs.log_odds(mmgat, found, torch.ones(found.shape[:2], dtype=torch.bool))

    def loss(nodes: heads.Nodes, mmgat: MMGAT) -> float:
        views = heads.EmbeddedViews(*(values[:, :1] for values in early["music"]))
        return float(embedder.cross_entropy(odds(nodes, mmgat, views), views.targets))

    said, change = odds(nodes, mmgat, usual["music"]), {}
    for keep in (6.0, 0.0):
        settings = graphs.OnsetFitSettings(
            steps=10, batch=6, keep=keep, prior_rate=1e-2, learning_rate=1e-3
        )
        found = graphs.fit(nodes, mmgat, early, usual, settings, lambda _: None)
        assert loss(*found) < 0.95 * loss(nodes, mmgat)
        change[keep] = float((odds(*found, usual["music"]) - said).abs().mean())
    assert change[6.0] < 0.7 * change[0.0]


def test_a_trained_embedder_is_read_again_if_it_was_trained_from_the_same(
    tmp_path: Path, shipped: TaggerEmbedder, onsets: dict[str, TargetedViews]
) -> None:
    path, settings = tmp_path / "onsets" / "embedder.safetensors", embedder.OnsetTailSettings()
    origin = embedder.origin_of("a", settings, onsets, onsets)
    assert embedder.finished(path, origin) is None
    embedder.save(path, shipped, origin)
    found = embedder.finished(path, origin)
    assert found is not None
    torch.testing.assert_close(found.prior_scale, shipped.prior_scale)
    other = embedder.origin_of("b", settings, onsets, onsets)
    assert embedder.finished(path, other) is None
