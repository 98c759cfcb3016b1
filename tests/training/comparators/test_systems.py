"""Every system of the registry, one after another."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mmgat.training.comparators.registry import SYSTEMS
from mmgat.training.comparators.systems.han_convnet import HanConfig, HanConvNet
from mmgat.training.comparators.windows import WindowModel
from mmgat.training.data.bags import Bags
from mmgat.training.fitting.fit import predict
from mmgat.training.fitting.recipe import Recipe, read_recipe
from mmgat.training.metrics import mean_average_precision

RECIPES = Path("training/recipes/comparators")
REDUCED = sorted(RECIPES.glob("*.toml"))
PUBLISHED = sorted((RECIPES / "published").glob("*.toml"))
NETWORKS = [name for name, system in SYSTEMS.items() if not system.classical]
OF_ITS_OWN = [name for name in NETWORKS if not SYSTEMS[name].prepare and not SYSTEMS[name].stages]
"""The others are Han's network with other data."""
SLOW = {"voting-swin": (4, 2e-3), "multitask-convnet": (8, 1e-2), "aedcn": (10, 1e-2)}
"""Bags in a step, and the learning rate."""
STEPS = {"aedcn": 100}
SMALL: dict[str, dict[str, Any]] = {
    "mtf-dnn": {"units": [64, 32]},
    "audio-dnn": {"shape": [1, 1600], "channels": [16, 16, 16]},
    "han-convnet": {"width": 0.25, "shape": [1, 12, 24]},
    "multitask-convnet": {"width": 0.25, "shape": [158, 6]},
    "wavegan-convnet": {"convnet": {"width": 0.25, "shape": [1, 12, 24]}},
    "vae-convnet": {"convnet": {"width": 0.25, "shape": [1, 12, 24]}},
    "staged-convnet": {"convnet": {"width": 0.25, "shape": [1, 12, 24]}},
    "voting-swin": {"patch": 16, "embedding": 16, "depths": [1, 1], "heads": [2, 2]},
    "aedcn": {"width": 0.25, "shape": [2, 12, 24], "warm_up": 0},
}


def small(name: str) -> tuple[WindowModel, nn.Module]:
    recipe = Recipe(network=name, tags=False, system=SMALL[name])
    network = recipe.build(0)
    assert isinstance(network, WindowModel)
    return network, recipe.criterion(network)


def toy(shape: tuple[int, ...], n: int = 96, seed: int = 0) -> Bags:
    """Bags of three windows; each of three labels is a wave of its own length."""
    waves = [np.cos(2 * np.pi * np.arange(shape[-1]) / length) for length in (2, 4, 8)]
    patterns = np.stack([np.broadcast_to(wave, shape) for wave in waves])
    rng = np.random.default_rng(seed)
    on = rng.random((n, 3, 3)) < 0.25
    windows = 0.1 * rng.standard_normal((n, 3, *shape))
    windows += np.einsum("bnl,l...->bn...", on, patterns)
    instance = torch.zeros(n, 3, 20)
    instance[..., :3] = torch.from_numpy(on).float()
    return Bags(
        torch.from_numpy(windows.reshape(n, 3, -1)).half(),
        torch.full((n,), 3),
        instance.amax(1),
        torch.ones(n, 20),
        instance,
        torch.ones_like(instance),
        torch.zeros(n, 0),
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_padding_changes_nothing(name: str) -> None:
    network, _ = small(name)
    windows = torch.randn(2, 4, int(np.prod(network.shape)))
    mask = torch.arange(4) < torch.tensor([[2], [2]])
    for mode in (True, False):  # batch statistics of training too
        network.train(mode)
        torch.manual_seed(0)
        padded = network(windows, mask)
        torch.manual_seed(0)
        short = network(windows[:, :2])
        torch.testing.assert_close(padded.bag_scores, short.bag_scores)


@pytest.mark.parametrize("name", NETWORKS)
def test_scores_have_a_row_a_bag_and_a_window(name: str) -> None:
    network, _ = small(name)
    with torch.inference_mode():
        output = network.eval()(torch.randn(2, 3, int(np.prod(network.shape))))
    assert output.bag_scores.shape == (2, 20)
    assert output.instance_scores.shape == (2, 3, 20)
    assert 0 <= float(output.instance_scores.min()) <= float(output.instance_scores.max()) <= 1


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_reaches_every_weight(name: str) -> None:
    torch.manual_seed(0)
    network, criterion = small(name)
    network.train()
    bags = toy(network.shape, 24)
    for _ in range(2):  # what is generated is learned from in the second step
        loss = criterion(network, network(bags.embeddings, bags.mask()), bags.targets())
        loss.backward()
    both = (*network.named_parameters(), *criterion.named_parameters())
    unreached = [key for key, p in both if p.grad is None or not p.grad.abs().sum()]
    assert not unreached


@pytest.mark.parametrize("name", OF_ITS_OWN)
def test_a_separable_toy_set_is_learned(name: str) -> None:
    torch.manual_seed(0)
    network, criterion = small(name)
    bags = toy(network.shape)
    both = [*network.parameters(), *criterion.parameters()]
    n, rate = SLOW.get(name, (16, 1e-2))
    optimizer = torch.optim.Adam(both, rate)
    network.train()
    for step in range(STEPS.get(name, 60)):
        batch = bags.select(torch.arange(n) + n * (step % (len(bags) // n)))
        optimizer.zero_grad()
        criterion(network, network(batch.embeddings, batch.mask()), batch.targets()).backward()
        optimizer.step()
    fresh = toy(network.shape, n=32, seed=1)
    _, windows = predict(network, fresh)
    assert windows is not None
    chance = float(fresh.instance[..., :3].mean())
    known = np.zeros_like(windows)
    known[..., :3] = 1
    found = mean_average_precision(fresh.instance.numpy(), windows, known)
    assert found > chance + 0.5 * (1 - chance)


@pytest.mark.parametrize("path", REDUCED, ids=lambda path: path.stem)
def test_a_reduced_recipe_has_the_size_that_its_name_says(path: Path) -> None:
    recipe = read_recipe(path)
    if SYSTEMS[recipe.network].classical:
        return
    words = [word for word in path.stem.split("-") if word.endswith("m") and word[0].isdigit()]
    n_millions = sum(p.numel() for p in recipe.build(0).parameters()) / 1e6
    assert words == [f"{n_millions:.1f}m"]


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_a_published_size_builds_and_takes_a_step(path: Path) -> None:
    recipe = read_recipe(path)
    network = recipe.build(0).train()
    assert isinstance(network, WindowModel)
    criterion = recipe.criterion(network)
    bags = _few_windows(network)
    optimizer = torch.optim.SGD(network.parameters(), 1e-3)
    before = next(network.parameters()).clone()
    criterion(network, network(bags.embeddings), bags.targets()).backward()
    optimizer.step()
    assert not torch.equal(before, next(network.parameters()))


def _few_windows(network: WindowModel) -> Bags:
    n = 2 if len(network.shape) == 1 else 1  # batch statistics of a vector need two
    instance = torch.zeros(n, 1, 20)
    instance[:, :, 0] = 1
    return Bags(
        torch.randn(n, 1, int(np.prod(network.shape))),
        torch.ones(n, dtype=torch.long),
        instance[:, 0],
        torch.ones(n, 20),
        instance,
        torch.ones_like(instance),
        torch.zeros(2, 0),
    )


def test_han_has_the_published_number_of_weights() -> None:
    network = HanConvNet(HanConfig(), n_labels=11)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 3) == 1.446


def test_one_published_swin_has_27_5_million_weights() -> None:
    recipe = read_recipe(RECIPES / "published" / "voting-swin-83m.toml")
    with torch.device("meta"):
        network = recipe.build(0)
    member = next(iter(network.members))  # type: ignore[union-attr]
    assert round(sum(p.numel() for p in member.parameters()) / 1e6, 1) == 27.5
