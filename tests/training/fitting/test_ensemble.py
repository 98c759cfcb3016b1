from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.ensemble import EnsembleTargets, ensemble_runs, ensemble_scores
from mmgat.training.fitting.fit import predict
from mmgat.training.fitting.recipe import read_recipe
from mmgat.training.fitting.run_folder import load_run
from mmgat.training.fitting.runs import run
from tests.training.fitting.test_fit import separable, small

QUIET: Callable[[str], None] = lambda _: None  # noqa: E731


@pytest.fixture(scope="module")
def teaching(
    audioset: Path, quick_recipe: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder of runs, with two of the recipe ``strict``."""
    runs = tmp_path_factory.mktemp("teaching")
    recipe = quick_recipe("mmgat", epochs=3, name="strict", first="refit = true")
    for seed in (0, 1):
        run(recipe, audioset, runs / "strict" / f"seed-{seed}", seed, QUIET)
    return runs


def test_targets_move_towards_the_ensemble_by_its_weight() -> None:
    bags, (network, _) = separable(8), small()
    network.eval()
    scores = torch.from_numpy(predict(network, bags)[0])
    assert torch.equal(EnsembleTargets([network], 0.0)(bags).bag, bags.bag)
    found = EnsembleTargets([network, network], 0.75)(bags)
    assert torch.allclose(found.bag, 0.25 * bags.bag + 0.75 * scores, atol=1e-6)
    assert torch.equal(found.bag_weight, bags.bag_weight)


def test_an_ensemble_without_tags_leaves_them() -> None:
    bags, (network, _) = separable(8), small()
    bags = replace(bags, tags=torch.ones(8, 5))
    assert torch.equal(EnsembleTargets([network], 0.75)(bags).tags, bags.tags)


def test_a_distilled_network_has_the_scores_of_its_ensemble(
    teaching: Path, audioset: Path, quick_recipe: Callable[..., Path]
) -> None:
    lines = 'refit = true\nteachers = "strict"\ndistillation_weight = 1.0'
    recipe = quick_recipe("mmgat", epochs=3, name="distilled", first=lines)
    folder = teaching / "distilled" / "seed-0"
    result = run(recipe, audioset, folder, 5, QUIET)
    teachers = ensemble_runs(teaching / "strict")
    assert len(teachers) == 2
    bags = separable(64, 10)
    scores = np.mean([predict(load_run(path).network, bags)[0] for path in teachers], axis=0)
    own = predict(load_run(folder).network, bags)[0]
    other = predict(load_run(teachers[0], first=True).network, bags)[0]
    assert np.abs(own - scores).mean() < np.abs(other - scores).mean()
    assert result["held_out_map"] > 0
    assert not (folder / "first").exists()
    with pytest.raises(TrainingDataError, match="expected a finished run"):
        load_run(folder, first=True)  # it has seen the held-out clips


def test_thresholds_are_of_networks_that_did_not_know_the_held_out_clips(teaching: Path) -> None:
    bags, teachers = separable(8, 10), ensemble_runs(teaching / "strict")
    firsts = [predict(load_run(path, first=True).network, bags)[0] for path in teachers]
    seconds = [predict(load_run(path).network, bags)[0] for path in teachers]
    assert np.array_equal(ensemble_scores(teachers, bags), np.mean(firsts, axis=0))
    assert not np.allclose(np.mean(firsts, axis=0), np.mean(seconds, axis=0))


def test_teachers_must_be_finished(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="expected finished runs .* found none: fit them"):
        ensemble_runs(tmp_path / "mmgat")


def test_a_recipe_with_teachers_must_refit(quick_recipe: Callable[..., Path]) -> None:
    with pytest.raises(TrainingDataError, match="expected refit = true, since it has teachers"):
        read_recipe(quick_recipe("mmgat", name="lazy", first='teachers = "strict"'))
