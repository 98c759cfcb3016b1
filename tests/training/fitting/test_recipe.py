from pathlib import Path

import pytest
import torch

from mmgat.model.labels import FAMILIES
from mmgat.model.mmgat import MMGAT
from mmgat.training.data.label_text import minilm_embeddings
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.losses import MMGATLoss
from mmgat.training.fitting.recipe import NETWORKS, read_recipe

RECIPES = Path(__file__).parents[3] / "training" / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.rglob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_can_be_read(path: Path) -> None:
    assert read_recipe(path).network in NETWORKS


def test_an_extending_recipe_changes_only_what_it_names(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text("[mmgat]\nn_layers = 2\n[fit]\nepochs = 3\nseed = 4\n")
    (tmp_path / "own.toml").write_text('extends = "base.toml"\n[fit]\nepochs = 5\n')
    recipe = read_recipe(tmp_path / "own.toml")
    assert (recipe.mmgat.n_layers, recipe.fit.epochs, recipe.fit.seed) == (2, 5, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("network = 'perceptron'", "expected a network of mmgat, .*, found 'perceptron'"),
        ("[fit]\nepoch = 3", "epoch"),
        ("[fit]\nepochs = 'many'", "int"),
        ("[mmgat]\nscales = ['far-2']", "expected a scale such as"),
        ("[mmgat]\nsimilarity = 'dot'", "dot"),
        ("fit = [", "no recipe"),
        ("data = 'gtzan'", "gtzan"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(TrainingDataError, match=message):
        read_recipe(path)


def test_a_missing_recipe_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"expected a recipe at .*nosuch\.toml"):
        read_recipe(tmp_path / "nosuch.toml")


def test_parts_left_out_of_a_recipe_are_not_in_the_network(tmp_path: Path) -> None:
    path = tmp_path / "bare.toml"
    path.write_text("tags = false\n[mmgat]\nn_layers = 0\ntext_size = 0\nn_auxiliary = 0\n")
    network = read_recipe(path).build(527)
    assert isinstance(network, MMGAT)
    assert not network.layers
    assert network.labels is None
    assert network.auxiliary is None
    assert network.tags is None


def test_the_auxiliary_classes_may_be_families(tmp_path: Path) -> None:
    path = tmp_path / "family.toml"
    path.write_text('auxiliary = "family"\n')
    recipe = read_recipe(path)
    network = recipe.build(0)
    criterion = recipe.criterion(network)
    assert isinstance(network, MMGAT)
    assert isinstance(criterion, MMGATLoss)
    assert network.config.n_auxiliary == len(criterion.groups) == len(FAMILIES)


def test_label_text_comes_from_a_file(tmp_path: Path) -> None:
    minilm_embeddings("a recording of a {}").save(tmp_path / "text.safetensors")
    path = tmp_path / "recipe.toml"
    path.write_text(f"label_text = '{tmp_path / 'text.safetensors'}'\n")
    network = read_recipe(path).build(0)
    assert isinstance(network, MMGAT)
    assert network.labels is not None
    expected = minilm_embeddings("a recording of a {}").embeddings
    torch.testing.assert_close(
        network.labels.text, torch.nn.functional.normalize(expected), rtol=1e-4, atol=1e-5
    )


def test_the_same_seed_gives_the_same_first_weights(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"

    def first_weights(seed: int) -> dict[str, torch.Tensor]:
        path.write_text(f'network = "transformer"\n[fit]\nseed = {seed}\n')
        return read_recipe(path).build(0).state_dict()

    one, same, other = (first_weights(seed) for seed in (0, 0, 1))
    assert all(map(torch.equal, one.values(), same.values()))
    assert not all(map(torch.equal, one.values(), other.values()))
