from pathlib import Path

import numpy as np
import pytest
import torch

from mmgat.model.labels import INDEX
from mmgat.training.data.bags import Bags
from mmgat.training.data.yard_store import LabelledClip, Yard, exactly_labelled, weakly_labelled
from mmgat.training.errors import TrainingDataError
from mmgat.training.evaluation import comparison
from mmgat.training.evaluation.comparison import (
    compare,
    compare_seeds,
    family_precisions,
    ranking_precision,
    seeds_of,
    settings_of,
)
from mmgat.training.evaluation.comparison_page import BEGIN, END, tables, write_page
from mmgat.training.figures.comparison import draw_comparison
from mmgat.training.fitting.recipe import read_recipe
from tests.training.evaluation.rows import row

RECIPE = """
network = "mtf-dnn"
data = "yard"
tags = false
system = {units = [16]}
fit = {epochs = 1, batch = 8}
"""


def clip(index: int) -> LabelledClip:
    """A low tone is a cello, a high one a flute."""
    time = np.arange(160_000) / 16_000
    label, hz = (("cello", 110.0), ("flute", 1760.0))[index % 2]
    tone = (0.2 * np.sin(2 * np.pi * hz * time)).astype(np.float32)
    labels = np.zeros((10, 20), bool)
    labels[:, INDEX[label]] = True
    return exactly_labelled(np.stack([tone, tone]), labels, np.ones_like(labels), "solo", "made")


def phrase(index: int) -> LabelledClip:
    exact = clip(index)
    return weakly_labelled(exact.audio, exact.bag, exact.bag_weight, "phrases", "made")


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("yard")
    for part, n in {"train": 16, "held-out": 12, "evaluation": 6}.items():
        Yard(folder).write(part, n, clip)
    Yard(folder).write("phrases", 4, phrase)
    return folder


def test_a_comparison_is_made_once_and_written_as_a_page(yard: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mtf-dnn-tiny.toml"
    recipe.write_text(RECIPE)
    first = compare(recipe, yard, tmp_path / "runs", lambda _: None)
    file = tmp_path / "runs" / "mtf-dnn-tiny" / "seed-0" / comparison.COMPARISON
    written = file.stat().st_mtime_ns
    assert compare(recipe, yard, tmp_path / "runs", lambda _: None) == first
    assert file.stat().st_mtime_ns == written
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    compare_seeds(recipe, yard, tmp_path / "runs", 2, lambda _: None)
    by_seed = seeds_of("mtf-dnn-tiny", tmp_path / "runs")
    told = {"settings": "1 epochs, batch 8, rate 0.001", "processor_s": first["processor_s"]}
    assert by_seed[0] | told == first
    by_chance = comparison.chance(yard)
    write_page(page, tables([first], {"mtf-dnn-tiny": by_seed}, by_chance))
    maps = [each["phrases"]["map"] for each in by_seed]
    text = page.read_text()
    assert text.startswith("before")
    assert text.endswith("after\n")
    assert "old" not in text
    assert f"| mtf-dnn-tiny | not found | {first['evaluation']['map']:.3f}" in text
    assert f"{np.mean(maps):.3f} ± {np.std(maps, ddof=1):.3f}" in text
    assert "| mtf-dnn-tiny | 2 |" in text
    assert 0.4 < by_chance["evaluation"] < 1  # two labels, half of the clips each
    pictures = draw_comparison([first], yard, tmp_path / "runs", tmp_path / "figures")
    assert [path.name for path in pictures] == [
        "comparison-labels.png",
        "comparison-transforms.png",
    ]


def test_a_page_without_markers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("nothing")
    with pytest.raises(TrainingDataError, match="begin"):
        write_page(tmp_path / "page.md", "")


def bags(truth: np.ndarray, known: np.ndarray) -> Bags:
    n = len(truth)
    nothing = torch.zeros(n, 1, 20)
    on, weight = torch.from_numpy(truth).float(), torch.from_numpy(known).float()
    return Bags(nothing, torch.ones(n).long(), on, weight, nothing, nothing, torch.zeros(n, 0))


def test_intervals_contain_the_figure() -> None:
    rng = np.random.default_rng(0)
    truth, known = rng.random((60, 20)) < 0.3, rng.random((60, 20)) < 0.9
    scores = truth * 0.3 + rng.random((60, 20)) * 0.7
    found = comparison.measured(bags(truth, known), scores, np.full(20, 0.5))
    for name in ("map", "micro"):
        low, high = found[f"{name}_interval"]
        assert low < found[name] < high


def test_an_unknown_label_is_not_ranked() -> None:
    truth, known = np.zeros((1, 20)), np.ones((1, 20))
    truth[0, 0], known[0, 1] = 1, 0
    scores = np.zeros((1, 20))
    scores[0, :2] = 0.5, 0.9
    assert ranking_precision(truth, scores, known) == 1.0


def test_a_family_sounds_if_a_member_does() -> None:
    truth, known, scores = np.zeros((2, 20)), np.ones((2, 20)), np.zeros((2, 20))
    truth[0, INDEX["violin"]] = 1
    scores[0, INDEX["cello"]] = 0.9  # the other member of the family
    assert family_precisions(truth, scores, known) == {"bowed": 1.0}


def test_settings_are_told_in_words() -> None:
    told = {
        name: settings_of(read_recipe(Path(f"training/recipes/comparators/{name}.toml")))
        for name in ("han-convnet-0.4m", "staged-convnet-0.4m", "bosch-svm", "bosch-svm-seconds")
    }
    assert told == {
        "han-convnet-0.4m": "32 epochs, batch 8 x 2 windows, rate 0.001",
        "staged-convnet-0.4m": "32 + 24 + 12 epochs, batch 8 x 2 windows, rate 0.001",
        "bosch-svm": "degree 4, C 1, balanced, whole clips",
        "bosch-svm-seconds": "degree 4, C 1, balanced, 2 s a clip",
    }


def test_tables_name_what_was_published() -> None:
    assert "| mmgat | OpenMIC+IRMAS .63 | 0.500 (0.40 to 0.60)" in tables([row("mmgat", "compact")])
