import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from mmgat.model.checkpoint import load_checkpoint, save_checkpoint
from mmgat.model.labels import LABELS
from mmgat.training.commands.train import main
from mmgat.training.errors import TrainingDataError
from mmgat.training.evaluation.evaluate import evaluate
from mmgat.training.evaluation.evaluate import main as evaluate_command
from mmgat.training.export.publish import publish
from mmgat.training.fitting.fit import NETWORK, predict
from mmgat.training.fitting.recipe import Recipe
from mmgat.training.fitting.run_folder import load_run, reserve_run
from mmgat.training.fitting.runs import run, table
from tests.conftest import untrained_card, untrained_mmgat
from tests.training.data.published.test_irmas import published as published_irmas
from tests.training.data.published.test_openmic import published as published_openmic


@pytest.fixture
def openmic_checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "openmic.safetensors"
    card = untrained_card(embedder="vggish", variant="relu+pca+8bit")
    save_checkpoint(path, card, untrained_mmgat())
    return path


@pytest.fixture(scope="module")
def published(finished_run: Path, audioset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run as a checkpoint, written by the command."""
    folder = tmp_path_factory.mktemp("published")
    options = ["publish", str(finished_run), "--name", "own", "--data", str(audioset)]
    done = CliRunner().invoke(main, [*options, "--out", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return folder / "own.safetensors"


def test_a_published_run_is_worth_what_the_run_was(
    published: Path, finished_run: Path, audioset: Path
) -> None:
    result = json.loads((finished_run / "result.json").read_text())
    assert result["map"] > 0.8  # against 0.1 of guessing
    found = evaluate(str(published), audioset / "audioset-vggish" / "validation.npz")
    assert found["map"] == pytest.approx(result["map"], abs=1e-6)
    assert found["clips"] == result["evaluation_clips"]
    assert set(found["per_label"]) == set(LABELS)
    assert found["f1_at_calibrated_thresholds"] == pytest.approx(
        result["f1_at_calibrated_thresholds"], abs=1e-6
    )


def test_a_published_checkpoint_needs_no_tags_and_its_card_is_complete(published: Path) -> None:
    checkpoint = load_checkpoint(published)
    assert checkpoint.mmgat.tags is None
    card = checkpoint.card
    assert card.text_encoder
    assert card.variant == "pre-activation+pca+8bit"
    assert (card.training_data[0]["licence"], card.training_data[0]["clips"]) == ("CC BY 4.0", 576)
    assert {"name", "value", "on", "command"} <= set(card.metrics[0])


def test_a_refit_is_of_all_clips_and_its_thresholds_of_a_network_that_knew_fewer(
    audioset: Path, quick_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = quick_recipe("mmgat", epochs=2, name="refit", first="refit = true")
    lines: list[str] = []
    result = run(recipe, audioset, tmp_path / "refit", report=lines.append)
    alone = run(quick_recipe("mmgat", epochs=2, name="once"), audioset, tmp_path / "once")
    assert [line.split(":")[0] for line in lines] == ["epoch 0", "epoch 1", lines[-1]]
    assert (result["thresholds"], result["held_out_map"]) == (
        alone["thresholds"], alone["held_out_map"]
    )  # fmt: skip
    assert result["map"] != alone["map"]
    first, once = load_file(tmp_path / "refit/first" / NETWORK), load_run(tmp_path / "once")
    assert all(torch.equal(first[name], w) for name, w in once.network.state_dict().items())
    publish(tmp_path / "refit", "refit", audioset, tmp_path)
    assert load_checkpoint(tmp_path / "refit.safetensors").card.training_data[0]["clips"] == 640


def test_only_runs_of_mmgat_are_published(
    audioset: Path, quick_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    run(quick_recipe("mean-mlp"), audioset, tmp_path / "run", report=lambda _: None)
    with pytest.raises(TrainingDataError, match="expected a run of mmgat on audioset, .* mean-mlp"):
        publish(tmp_path / "run", "own", audioset, tmp_path)


def test_a_finished_run_is_read_and_not_fitted_again(
    finished_run: Path, audioset: Path, quick_recipe: Callable[..., Path]
) -> None:
    lines: list[str] = []
    again = run(quick_recipe("mmgat", epochs=12), audioset, finished_run, report=lines.append)
    assert not lines
    assert again == json.loads((finished_run / "result.json").read_text())


def test_a_folder_keeps_to_its_recipe(
    finished_run: Path, audioset: Path, quick_recipe: Callable[..., Path]
) -> None:
    with pytest.raises(TrainingDataError, match="found another run"):
        run(quick_recipe("mmgat", epochs=12), audioset, finished_run, seed=5)


def test_a_run_older_than_a_setting_had_its_default(tmp_path: Path) -> None:
    new = {"recipe": "one", **json.loads(msgspec.json.encode(Recipe()))}
    old = {**new, "fit": {k: v for k, v in new["fit"].items() if k != "validate_every"}}
    reserve_run(tmp_path, old)
    reserve_run(tmp_path, new)
    changed = {**new, "fit": {**new["fit"], "validate_every": 2}}
    with pytest.raises(TrainingDataError, match="found another run"):
        reserve_run(tmp_path, changed)


def test_a_loaded_run_gives_its_own_figures(finished_run: Path, audioset: Path) -> None:
    from mmgat.training.metrics import mean_average_precision

    loaded = load_run(finished_run)
    bags = loaded.recipe.evaluation_bags(audioset)
    scores, _ = predict(loaded.network, bags)
    found = mean_average_precision(bags.bag.numpy(), scores, np.ones_like(scores))
    assert found == pytest.approx(loaded.result["map"], abs=1e-6)


def test_what_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="expected a finished run"):
        load_run(tmp_path)


def test_a_table_has_a_row_for_every_recipe_best_first(
    audioset: Path, quick_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    configs = [
        quick_recipe("mean-mlp", epochs=1, name="weak"),
        quick_recipe("attention-mil", epochs=8, name="strong"),
        quick_recipe("logistic-regression"),
    ]
    lines = table(configs, audioset, tmp_path, 2, lambda _: None).splitlines()
    names = [line.split("|")[1].strip() for line in lines[2:]]
    values = [float(line.split("|")[2]) for line in lines[2:]]
    assert values == sorted(values, reverse=True)
    assert set(names) == {"weak", "strong", "logistic-regression"}
    assert names.index("strong") < names.index("weak")
    assert (tmp_path / "strong" / "seed-1" / "result.json").is_file()


def test_fit_is_a_command(
    audioset: Path, quick_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    options = ["fit", "--config", str(quick_recipe("transformer")), "--data", str(audioset)]
    done = CliRunner().invoke(main, [*options, "--out", str(tmp_path / "run"), "--seed", "3"])
    assert done.exit_code == 0, done.output
    assert "on 160 evaluation clips" in done.output
    assert json.loads((tmp_path / "run" / "result.json").read_text())["of"]["fit"]["seed"] == 3


def test_missing_data_is_one_line(tmp_path: Path, quick_recipe: Callable[..., Path]) -> None:
    options = ["fit", "--config", str(quick_recipe("mean-mlp")), "--data", str(tmp_path)]
    done = CliRunner().invoke(main, [*options, "--out", str(tmp_path / "run")])
    assert done.exit_code == 1
    assert "Error: expected AudioSet embeddings in" in done.output


def test_evaluate_prints_json_or_text(published: Path, audioset: Path) -> None:
    options = ["--checkpoint", str(published)]
    options += ["--embeddings", str(audioset / "audioset-vggish" / "validation.npz")]
    as_json = CliRunner().invoke(evaluate_command, [*options, "--json"])
    as_text = CliRunner().invoke(evaluate_command, options)
    found = json.loads(as_json.output)
    assert f"mean average precision  {found['map']:.4f}" in as_text.output
    assert "macro, positive and negative" in as_text.output


def test_evaluate_refuses_what_it_cannot_compare(audioset: Path, tmp_path: Path) -> None:
    rows = str(audioset / "audioset-vggish" / "validation.npz")
    foreign = CliRunner().invoke(
        evaluate_command, ["--checkpoint", "compact", "--embeddings", rows]
    )
    assert foreign.exit_code == 1
    assert "was trained on embeddings of compact" in foreign.output
    missing = CliRunner().invoke(evaluate_command, ["--embeddings", str(tmp_path / "no.npz")])
    assert missing.exit_code == 1
    assert "expected AudioSet embeddings" in missing.output


def test_openmic_is_scored_on_its_test_split(openmic_checkpoint: Path, tmp_path: Path) -> None:
    published_openmic(tmp_path)
    path = tmp_path / "openmic-2018.npz"
    with pytest.raises(TrainingDataError, match="expected 5085 clips of the test split .* found 2"):
        evaluate(str(openmic_checkpoint), path)
    found = evaluate(str(openmic_checkpoint), path, incomplete=True)
    assert (found["clips"], found["clips_expected"]) == (2, 5085)
    assert found["of"] == "clips of the test split"
    assert found["per_label"] == {"voice": 1.0}  # the only label with a known positive


def test_irmas_is_heard_by_the_checkpoints_own_embedder(
    untrained_checkpoint: Path, tmp_path: Path
) -> None:
    published_irmas(tmp_path / "irmas")
    options = ["--checkpoint", str(untrained_checkpoint), "--irmas", str(tmp_path / "irmas")]
    whole = CliRunner().invoke(evaluate_command, options)
    assert whole.exit_code == 1
    assert "expected the 2874 test clips of IRMAS" in whole.output
    options.append("--incomplete")
    done = CliRunner().invoke(evaluate_command, [*options, "--json"], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert (found["clips"], found["clips_expected"]) == (3, 2874)
    assert set(found["per_label"]) == {"guitar", "piano", "voice"}
    assert set(found["irmas"]) == {"micro_f1", "macro_f1", "lrap"}
    as_text = CliRunner().invoke(evaluate_command, options).stdout
    assert f"LRAP     {found['irmas']['lrap']:.3f}" in as_text
    assert "INCOMPLETE: the published set has 2874" in as_text


def test_evaluate_wants_one_thing_to_evaluate_on(tmp_path: Path) -> None:
    neither = CliRunner().invoke(evaluate_command, [])
    assert neither.exit_code == 2
    assert "expected either --embeddings FILE.npz or --irmas FOLDER" in neither.output


@pytest.mark.timeout(300)
def test_two_processes_fit_one_network_and_refit_it(
    audioset: Path, quick_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    command = [
        sys.executable,
        "-m",
        "mmgat.training.commands.train",
        "fit",
        "--devices",
        "2",
        "--threads",
        "1",
    ]
    recipe = quick_recipe("attention-mil", epochs=20, name="two", first="refit = true")
    command += ["--config", str(recipe)]
    command += ["--data", str(audioset), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("evaluation clips") == 1
    assert json.loads((tmp_path / "result.json").read_text())["map"] > 0.5
