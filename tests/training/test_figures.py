from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner
from matplotlib.image import imread
from torch import Tensor

from mmgat.model.labels import FAMILIES, INDEX, LABELS
from mmgat.training.commands.train import main
from mmgat.training.errors import TrainingDataError
from mmgat.training.figures.correlation_graphs import correlation_graphs
from mmgat.training.figures.evidence import evidence_of, read_mono
from mmgat.training.figures.feature_map import labelled_features, one_label_clips
from mmgat.training.figures.per_label import per_label_heatmap
from mmgat.training.fitting.run_folder import load_run
from tests.training.fitting.test_fit import separable


def test_all_pictures_are_drawn(
    finished_run: Path, audioset: Path, tmp_path: Path, quick_recipe: Callable[..., Path]
) -> None:
    sound = tmp_path / "sound.wav"
    noise = np.random.default_rng(0).standard_normal(3 * 16_000).astype(np.float32)
    soundfile.write(sound, 0.1 * noise, 16_000)
    options = ["figures", "--run", str(finished_run), "--without", str(finished_run)]
    options += ["--audio", str(sound), "--data", str(audioset), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(main, options, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    names = [Path(line).stem for line in done.stdout.splitlines()]
    assert names == ["feature-map", "per-label", "correlation-graphs", "evidence"]
    for name in names:
        assert imread(tmp_path / "out" / f"{name}.png").std() > 0.05  # not blank


def test_features_are_of_clips_with_one_label() -> None:
    bags = separable(200)
    chosen = one_label_clips(bags, each=20)
    assert set(chosen.bag.sum(1).tolist()) == {1.0}
    assert set(chosen.bag.argmax(1).tolist()) == {INDEX["piano"], INDEX["flute"]}
    assert len(chosen) == 40


def test_features_of_a_trained_network_lie_by_label(finished_run: Path, audioset: Path) -> None:
    run = load_run(finished_run)
    chosen = one_label_clips(run.recipe.evaluation_bags(audioset), each=20)
    found = labelled_features(run.network, chosen)  # type: ignore[arg-type]
    assert found.features.shape == (len(chosen), 64)
    assert found.silhouette > 0.1


def test_the_heatmap_names_networks_best_first() -> None:
    heard = [label for label in LABELS if label != "ukulele"]
    weak, strong = dict.fromkeys(heard, 0.2), dict.fromkeys(heard, 0.7)
    axis = per_label_heatmap({"weak": weak, "strong": strong}).axes[0]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["strong", "weak"]
    columns = [text.get_text() for text in axis.get_xticklabels()]
    assert columns[:4] == ["banjo", "bass", "guitar", "mandolin"]  # of one family
    assert len(columns) == len(heard)
    assert len(axis.texts) == 2 * len(heard) + len(FAMILIES)


def test_graphs_have_the_edges_of_their_scale(finished_run: Path) -> None:
    network = load_run(finished_run).network
    figure = correlation_graphs(network, separable(1).select(torch.tensor([0])))  # type: ignore[arg-type]
    temporal = figure.axes[1]
    assert temporal.get_title() == "temporal 1"
    assert len(temporal.lines) == 8  # five seconds in a row, both directions


def test_what_is_no_sound_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="expected a sound file"):
        read_mono(tmp_path / "nosuch.wav")
    short = tmp_path / "short.wav"
    soundfile.write(short, np.zeros(800, np.float32), 16_000)
    with pytest.raises(TrainingDataError, match=r"one second of sound in .*, found 0\.05 s"):
        read_mono(short)


@pytest.fixture(scope="module")
def demo_evidence() -> tuple[Tensor, Tensor]:
    demo = Path(__file__).parents[2] / "stream" / "demo" / "demo.ogg"
    return evidence_of(demo, "compact")


@pytest.mark.parametrize(("label", "begin_s", "end_s"), [("flute", 7, 14), ("drums", 35, 43)])
def test_the_evidence_of_the_demo_lies_where_an_instrument_plays(
    demo_evidence: tuple[Tensor, Tensor], label: str, begin_s: int, end_s: int
) -> None:
    _, evidence = demo_evidence
    assert begin_s <= int(evidence[:, INDEX[label]].argmax()) < end_s
