import json
import os
from pathlib import Path

import pytest
import torch

from mmgat.model.card import check_embedding_space
from mmgat.model.checkpoint import load_checkpoint, save_checkpoint, save_tensors
from mmgat.model.errors import CheckpointError
from tests.conftest import untrained_card, untrained_mmgat


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "lab.safetensors"
    save_checkpoint(path, untrained_card(name="lab"), untrained_mmgat())
    return path


def edit_card(path: Path, **changes: object) -> None:
    card = path.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | changes))


def test_a_saved_checkpoint_loads_with_the_same_numbers(path: Path) -> None:
    loaded, model = load_checkpoint(path), untrained_mmgat()
    nodes = torch.randn(1, 4, 128)
    assert loaded.card.name == "lab"
    assert torch.equal(loaded.mmgat(nodes).bag_scores, model(nodes).bag_scores)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_what_is_saved_may_be_read_by_all_whom_the_umask_lets(
    tmp_path: Path, umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        save_checkpoint(tmp_path / "lab", untrained_card(name="lab"), untrained_mmgat())
        save_tensors({"weights": torch.ones(2, 3).T}, tmp_path / "run.safetensors", {"by": "us"})
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(["lab.json", "lab.safetensors", "run.safetensors"], mode)


def test_either_file_or_neither_suffix_names_it(path: Path) -> None:
    for spelled in (path, path.with_suffix(".json"), path.with_suffix("")):
        assert load_checkpoint(spelled).card.name == "lab"


def test_a_truncated_file_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged.*expected sha256"):
        load_checkpoint(path)


def test_a_foreign_file_is_refused(path: Path) -> None:
    from mmgat.model.card import sha256_of

    path.write_bytes(b"not safetensors at all")
    edit_card(path, sha256=sha256_of(path))
    with pytest.raises(CheckpointError, match="does not fit its card"):
        load_checkpoint(path)


def test_a_missing_card_is_refused(path: Path) -> None:
    path.with_suffix(".json").unlink()
    with pytest.raises(CheckpointError, match="expected a card"):
        load_checkpoint(path)


def test_a_card_that_is_not_json_is_refused(path: Path) -> None:
    path.with_suffix(".json").write_text("{")
    with pytest.raises(CheckpointError, match="not JSON"):
        load_checkpoint(path)


def test_another_format_is_refused_with_both_numbers(path: Path) -> None:
    edit_card(path, format=7)
    with pytest.raises(CheckpointError, match="expected checkpoint format 3, found 7"):
        load_checkpoint(path)


def test_other_labels_are_refused_with_both_lists(path: Path) -> None:
    edit_card(path, labels=["kazoo"])
    with pytest.raises(CheckpointError, match="accordion, banjo.*found kazoo"):
        load_checkpoint(path)


def test_a_card_of_other_sizes_is_refused(path: Path) -> None:
    values = json.loads(path.with_suffix(".json").read_text())["mmgat"]
    edit_card(path, mmgat=values | {"hidden": 64})
    with pytest.raises(CheckpointError, match="does not fit its card"):
        load_checkpoint(path)


def test_missing_thresholds_are_refused(path: Path) -> None:
    edit_card(path, thresholds={"piano": 0.5})
    with pytest.raises(CheckpointError, match="no thresholds for .*accordion"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": None}, "no card of this format: Expected `array`, got `null`"),
        ({"thresholds": {"piano": 7}}, "Expected `float` <= 1.0"),
        ({"thresholds": None}, "Expected `object`, got `null`"),
        ({"mood": "blue"}, "unknown field `mood`"),
        ({"operating_points": {"loud": {}}}, "Invalid enum value 'loud'"),
        ({"operating_points": {"low": {"thresholds": {}}}}, "no thresholds at low sensitivity"),
    ],
)
def test_a_card_with_values_out_of_range_is_refused(
    path: Path, changes: dict[str, object], words: str
) -> None:
    edit_card(path, **changes)
    with pytest.raises(CheckpointError, match=words):
        load_checkpoint(path)


@pytest.mark.parametrize("text", ["null", "[" * 100_000, '{"format": NaN}'])
def test_a_card_that_is_no_object_is_refused(path: Path, text: str) -> None:
    path.with_suffix(".json").write_text(text)
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


def test_thresholds_that_are_no_numbers_are_refused(path: Path) -> None:
    card = path.with_suffix(".json")
    card.write_text(card.read_text().replace('"piano": 0.12', '"piano": NaN'))
    with pytest.raises(CheckpointError, match="NaN is no number of JSON"):
        load_checkpoint(path)


def test_weights_that_are_no_numbers_are_refused(path: Path) -> None:
    mmgat = untrained_mmgat()
    with torch.no_grad():
        mmgat.classifier.bias[3] = torch.nan
    save_checkpoint(path, untrained_card(), mmgat)
    with pytest.raises(CheckpointError, match="expected finite weights.*classifier.bias"):
        load_checkpoint(path)


def test_a_model_without_an_operating_point_says_so() -> None:
    with pytest.raises(CheckpointError, match="low sensitivity.*--threshold LABEL=SCORE"):
        untrained_card().thresholds_at("low")


@pytest.mark.parametrize("name", ["", ".", "/", "no/such"])
def test_a_name_that_is_no_file_is_refused(name: str) -> None:
    with pytest.raises(CheckpointError, match="found no file"):
        load_checkpoint(name)


def test_an_unknown_model_is_refused_with_the_shipped_names() -> None:
    with pytest.raises(CheckpointError, match="a model of compact, vggish or .*'nosuch'"):
        load_checkpoint("nosuch")


def test_embeddings_of_another_space_are_refused_with_both_names() -> None:
    with pytest.raises(
        CheckpointError, match=r"convnet \(convnet-2\), found those of vggish \(relu"
    ):
        check_embedding_space(untrained_card(), "vggish", "relu+pca+8bit")


@pytest.mark.parametrize("name", ["compact", "vggish"])
def test_shipped_checkpoints_load_and_their_cards_are_complete(name: str) -> None:
    card = load_checkpoint(name).card
    assert card.name == name
    assert card.text_encoder
    assert all({"source", "licence"} <= set(row) for row in card.training_data)
    assert card.training_data
    assert all({"name", "value", "on", "command"} <= set(row) for row in card.metrics)
    assert card.metrics
