import itertools
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from mmgat.model.checkpoint import load_checkpoint
from mmgat.training.commands.transfer import main
from mmgat.training.export import onnx_graphs
from mmgat.training.transfer import features
from mmgat.training.transfer import steps as training_steps
from mmgat.training.transfer.onsets import windows
from tests.training.stand_ins import published

CLIPS = 8
"""Of a part."""


@pytest.fixture(scope="module")
def mn04(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("mn04") / "mn04.pt"
    published(path)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_from_a_packed_set_to_a_checkpoint(
    pack_folder: Path, mn04: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (features, windows):
        monkeypatch.setattr(module, "CLIPS_AT_ONCE", CLIPS)
    monkeypatch.setattr(features, "CLIPS_A_PART", CLIPS)
    monkeypatch.setattr(windows, "ONSETS_A_PART", CLIPS)
    exported: list[Path] = []
    monkeypatch.setattr(onnx_graphs, "export", exported.append)  # has tests of its own
    common = "--pack", pack_folder, "--mn04", mn04, "--cache", tmp_path
    first, last, tuned = (tmp_path / name / "compact" for name in ("first", "last", "tuned"))
    steps: list[tuple[str | Path, ...]] = [
        ("features", "--parts", "1", "--validation-parts", "1"),
        ("tail", "--steps", "4"),
        ("fit", "--epochs", "0.1", "--without", "wide", "--out", first.parent),
        ("onsets", "--parts", "1", "--more-parts", "1", "--validation-parts", "1", "--steps", "5",
         "--checkpoint", first.with_suffix(".json"), "--out", last.parent),
        ("context", "--checkpoint", last.with_suffix(".json"), "--out", tuned.parent),
    ]  # fmt: skip
    for step, *options in steps:
        found = run(step, *common, *options)
        assert found.exit_code == 0, (step, found.output, found.exception)
    assert exported == [first, last, tuned]
    before, after = (load_checkpoint(path.with_suffix(".json")) for path in (first, last))
    assert after.card.mmgat["scales"] == ["temporal-1", "near-3"]
    assert after.card.training_data[0]["source"] == "tones"
    assert before.card.sha256 != after.card.sha256
    log_mel = torch.randn(3, 200, 128)
    rows = [checkpoint.embedder()(log_mel) for checkpoint in (before, after)]
    assert not torch.allclose(*rows, atol=1e-4)
    assert after.mmgat(rows[1][None]).instance_scores.shape == (1, 3, 20)
    end = load_checkpoint(tuned.with_suffix(".json")).mmgat.state_dict()
    changed = {
        name for name, value in after.mmgat.state_dict().items() if not value.equal(end[name])
    }
    assert changed <= {"prior.likeness", "prior.decay"}
    options = "context", *common, "--checkpoint", last.with_suffix(".json"), "--out", tuned.parent
    told = iter((2.0, 3.0, 2.0))  # events an hour before, with the best context, with the next
    monkeypatch.setattr(training_steps, "_events_an_hour", lambda _: next(told))
    assert run(*options).output.count("events an hour of held-out sounds") == 2
    louder = itertools.count(2.0)
    monkeypatch.setattr(training_steps, "_events_an_hour", lambda _: next(louder))
    found = run(*options)
    assert found.exit_code == 1
    assert "at most 2 events an hour of held-out sounds, found none" in str(
        found.output or found.exception
    )


def test_a_folder_that_is_no_packed_set_is_told(mn04: Path, tmp_path: Path) -> None:
    found = run("features", "--pack", tmp_path, "--mn04", mn04, "--cache", tmp_path)
    assert found.exit_code == 1
    assert "run mmgat-train transfer pack" in found.output
