"""``mmgat-train embed --embedder``, and fits on what it wrote."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from click.testing import CliRunner

from mmgat.model.labels import INDEX
from mmgat.training.commands.train import main
from mmgat.training.data.embedded import Embedded
from mmgat.training.data.file_embeddings import EmbeddingActor
from mmgat.training.data.yard_store import Yard, exactly_labelled
from mmgat.training.embedders import registry
from mmgat.training.errors import TrainingDataError
from tests.conftest import melody
from tests.training.distillation.test_teachers import published

RECIPE = """
network = "mmgat"
data = "embedded"
embeddings = "mn04"
tags = false
held_out = 0.4
mmgat = {input_size = 384, hidden = 16, state_sizes = [8, 8], text_size = 0}
fit = {epochs = 1, batch = 2}
"""


@pytest.fixture(scope="module")
def mn04(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "mn04.pt"
    published(path)
    return path


def run(*arguments: object) -> str:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_yard_gets_features_of_an_embedder(mn04: Path, tmp_path: Path) -> None:
    yard = Yard(tmp_path / "yard")
    labels = np.zeros((10, 20), bool)
    labels[:, INDEX["cello"]] = True
    sound = np.tile(melody(10.0, 16_000)[:, 0], (2, 1)).astype(np.float32)
    clip = exactly_labelled(sound, labels, np.ones_like(labels), "solo", "made")
    for part in ("train", "evaluation"):
        yard.write(part, 2, lambda _: clip)
    shown = run("embed", "--embedder", "mn04", "--weights", mn04, yard.folder)
    for told in ("evaluation: 2 clips", "train: 2 clips"):
        assert told in shown
    bags = yard.bags("train", "mn04")  # nothing is loaded again: there are no weights to be found
    assert bags.embeddings.shape == (2, 10, 384)


@pytest.fixture
def own_files(mn04: Path, tmp_path: Path, wav: Callable[..., Path]) -> Path:
    """Fifteen embedded files of two to three seconds, with their labels."""
    folder = tmp_path / "embedded"
    folder.mkdir()
    rows = ["file,labels,part"]
    sounds = []
    for index in range(15):
        path = wav(melody(2.0 + index % 2, 16_000), 16_000).rename(tmp_path / f"{index}.wav")
        sounds.append(str(path))
        label = "flute+cello" if index % 2 else "cello+flute?"
        rows.append(f"{index}.wav,{label},{'train' if index < 14 else 'evaluation'}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    actor = EmbeddingActor(embedder="mn04", weights=str(mn04))
    pyarrow.parquet.write_table(actor(pa.table({"file": sounds})), folder / "part.parquet")
    return folder


def test_own_files_become_bags_and_a_fit(own_files: Path, tmp_path: Path) -> None:
    train = Embedded().training(own_files, "mn04")
    assert train.lengths[:5].tolist() == [2, 3, 2, 3, 2]
    assert train.bag[1, INDEX["flute"]] == 1
    assert train.bag_weight[0, INDEX["flute"]] == 0
    assert train.embeddings[train.mask()].mean(0).abs().max() < 0.5
    recipe = tmp_path / "mmgat.toml"
    recipe.write_text(RECIPE)
    run("fit", "--config", recipe, "--data", own_files, "--out", tmp_path / "run")
    assert json.loads((tmp_path / "run" / "result.json").read_text())["evaluation_clips"] == 1


def test_embeddings_of_another_embedder_are_refused(own_files: Path) -> None:
    with pytest.raises(TrainingDataError, match="expected embeddings of 'passt' .* found mn04"):
        Embedded().training(own_files, "passt")
    (own_files / "labels.csv").write_text("file,labels,part\n99.wav,cello,train\n")
    with pytest.raises(
        TrainingDataError, match="one embedded file that ends with '99.wav', found 0"
    ):
        Embedded().training(own_files, "mn04")
    (own_files / "labels.csv").write_text("file,labels,part\n1.wav,kazoo,train\n")
    with pytest.raises(TrainingDataError, match="expected labels of .* found 'kazoo'"):
        Embedded().training(own_files, "mn04")


def test_an_unknown_embedder_is_told_in_a_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["embed", "--embedder", "ears", str(tmp_path)])
    known = "passt, beats, yamnet, mn04, convnet"
    assert done.output == f"Error: expected an embedder of {known}, found 'ears'\n"


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    from tests.training.embedders.published_formats import passt_state

    torch.save(passt_state(), tmp_path / "passt.pt")
    with pytest.raises(
        TrainingDataError, match="weights of passt that give 768 numbers, found 128"
    ):
        registry.loaded("passt", tmp_path / "passt.pt")
