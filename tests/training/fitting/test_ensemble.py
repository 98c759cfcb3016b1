from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.ensemble import Teachers, opinion, teaching_runs
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


def test_targets_move_towards_the_teachers_by_their_trust() -> None:
    rows, (network, _) = separable(8), small()
    network.eval()
    said = torch.from_numpy(predict(network, rows)[0])
    assert torch.equal(Teachers([network], 0.0)(rows).bag, rows.bag)
    found = Teachers([network, network], 0.75)(rows)
    assert torch.allclose(found.bag, 0.25 * rows.bag + 0.75 * said, atol=1e-6)
    assert torch.equal(found.bag_weight, rows.bag_weight)


def test_who_has_no_tags_teaches_none() -> None:
    rows, (network, _) = separable(8), small()
    rows = replace(rows, tags=torch.ones(8, 5))
    assert torch.equal(Teachers([network], 0.75)(rows).tags, rows.tags)


def test_a_taught_network_says_what_its_teachers_say(
    teaching: Path, audioset: Path, quick_recipe: Callable[..., Path]
) -> None:
    lines = 'refit = true\nteachers = "strict"\ntrust = 1.0'
    recipe = quick_recipe("mmgat", epochs=3, name="taught", first=lines)
    folder = teaching / "taught" / "seed-0"
    result = run(recipe, audioset, folder, 5, QUIET)
    teachers = teaching_runs(teaching / "strict")
    assert len(teachers) == 2
    rows = separable(64, 10)
    said = np.mean([predict(load_run(path).network, rows)[0] for path in teachers], axis=0)
    own = predict(load_run(folder).network, rows)[0]
    other = predict(load_run(teachers[0], first=True).network, rows)[0]
    assert np.abs(own - said).mean() < np.abs(other - said).mean()
    assert result["held_out_map"] > 0
    assert not (folder / "first").exists()
    with pytest.raises(TrainingDataError, match="expected a finished run"):
        load_run(folder, first=True)  # it has seen the held-out clips


def test_thresholds_are_of_networks_that_did_not_know_the_held_out_clips(teaching: Path) -> None:
    rows, teachers = separable(8, 10), teaching_runs(teaching / "strict")
    firsts = [predict(load_run(path, first=True).network, rows)[0] for path in teachers]
    seconds = [predict(load_run(path).network, rows)[0] for path in teachers]
    assert np.array_equal(opinion(teachers, rows), np.mean(firsts, axis=0))
    assert not np.allclose(np.mean(firsts, axis=0), np.mean(seconds, axis=0))


def test_teachers_must_be_finished(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="expected finished runs .* found none: fit them"):
        teaching_runs(tmp_path / "mmgat")


def test_who_has_teachers_is_refitted(quick_recipe: Callable[..., Path]) -> None:
    with pytest.raises(TrainingDataError, match="expected refit = true, since it has teachers"):
        read_recipe(quick_recipe("mmgat", name="lazy", first='teachers = "strict"'))
