from pathlib import Path

import pytest
import torch

from mmgat.training.data import registry
from mmgat.training.data.bags import Bags, weakly_labelled
from mmgat.training.data.dataset import Dataset
from mmgat.training.data.registry import DATASETS, archives, dataset_named, dataset_of_file
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.recipe import read_recipe


class Numbered(Dataset):
    """Bags whose embeddings hold the number of their bag."""

    name = "numbered"
    sources = ()

    def training(self, data: Path, embeddings: str) -> Bags:
        numbers = [torch.full((2, 128), float(number)) for number in range(10)]
        return weakly_labelled(numbers, torch.zeros(10, 20), torch.ones(10, 20))

    def evaluation(self, data: Path, embeddings: str) -> Bags:
        return self.training(data, embeddings).select(torch.tensor([0]))


@pytest.fixture
def numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "numbered", Numbered())


@pytest.mark.usefixtures("numbered")
def test_a_recipe_may_name_any_data_set_of_the_registry(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('data = "numbered"\nheld_out = 0.3\n')
    recipe = read_recipe(path)
    train, held_out = recipe.training_bags(tmp_path)
    assert (len(train), len(held_out)) == (7, 3)
    assert len(recipe.evaluation_bags(tmp_path)) == 1


@pytest.mark.usefixtures("numbered")
def test_every_bag_is_trained_on_or_held_out_and_always_the_same(tmp_path: Path) -> None:
    splits = [registry.training_bags("numbered", tmp_path, 0.3) for _ in range(2)]
    numbers = [[bags.embeddings[:, 0, 0].tolist() for bags in split] for split in splits]
    assert numbers[0] == numbers[1]
    assert sorted(numbers[0][0] + numbers[0][1]) == list(range(10))


def test_an_unknown_data_set_is_refused_with_the_known_ones() -> None:
    with pytest.raises(TrainingDataError, match="audioset, openmic, .*found 'gtzan'"):
        dataset_named("gtzan")


def test_a_published_file_is_known_by_its_name() -> None:
    assert dataset_of_file(Path("openmic-2018/openmic-2018.npz")).name == "openmic"
    assert dataset_of_file(Path("audioset-vggish/validation.npz")).name == "audioset"
    with pytest.raises(TrainingDataError, match="found song.wav"):
        dataset_of_file(Path("song.wav"))


def test_archives_are_those_of_all_data_sets_once() -> None:
    assert {name: len(found) for name, found in archives().items()} == {"openmic": 1, "irmas": 4}
