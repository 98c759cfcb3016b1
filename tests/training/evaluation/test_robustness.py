from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from mmgat.model.mmgat import MMGAT
from mmgat.training.commands.train import main
from mmgat.training.data.registry import evaluation_bags, training_bags
from mmgat.training.errors import TrainingDataError
from mmgat.training.evaluation.robustness import most_activated, noise_row, with_noise
from mmgat.training.fitting.run_folder import load_run
from tests.training.fitting.test_fit import separable


def test_noise_is_as_long_as_a_row_and_strikes_its_share(
    finished_run: Path, audioset: Path
) -> None:
    train, _ = training_bags(load_run(finished_run).recipe, audioset)
    noise = noise_row(train)
    assert float(noise.norm()) == pytest.approx(float(train.rows.norm(dim=-1).mean()), rel=1e-4)
    noisy = with_noise(train, noise, 0.2)
    struck = (noisy.rows != train.rows).any(-1)
    assert float(struck.float().mean()) == pytest.approx(0.2, abs=0.02)
    torch.testing.assert_close((noisy.rows - train.rows)[struck], noise.expand(struck.sum(), -1))


def test_without_clips_of_noise_it_is_told() -> None:
    with pytest.raises(TrainingDataError, match="White noise"):
        noise_row(separable(8))


def test_the_most_activated_rows_are_those_that_sound(finished_run: Path, audioset: Path) -> None:
    loaded = load_run(finished_run)
    assert isinstance(loaded.network, MMGAT)
    rows = evaluation_bags(loaded.recipe, audioset)
    one_label = rows.select(rows.bag.sum(1) == 1)
    kept, share = most_activated(loaded.network, one_label, 3)
    assert set(kept.lengths.tolist()) == {3}
    label = one_label.bag.argmax(1)
    high = kept.rows[torch.arange(len(kept)), :, label] > 1.9
    assert float(high.float().mean()) > 0.6  # 0.3 by chance
    assert 0.3 < share <= 1
    everything, whole = most_activated(loaded.network, one_label, 10)
    assert torch.equal(everything.rows, one_label.rows)
    assert whole == pytest.approx(1.0, abs=1e-5)


def test_both_tests_are_commands(finished_run: Path, audioset: Path) -> None:
    noise, top_k = (
        CliRunner().invoke(
            main, [name, str(finished_run), "--data", str(audioset)], catch_exceptions=False
        )
        for name in ("noise", "top-k")
    )
    assert "| 0% noise | 10% noise | 20% noise |" in noise.stdout
    assert [line.split("|")[1].strip() for line in top_k.stdout.splitlines()[2:]] == [
        "1", "2", "3", "5", "7", "10",
    ]  # fmt: skip
