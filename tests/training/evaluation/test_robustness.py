from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from mmgat.model.mmgat import MMGAT
from mmgat.training.commands.train import main
from mmgat.training.errors import TrainingDataError
from mmgat.training.evaluation.robustness import most_activated, noise_embedding, with_noise
from mmgat.training.fitting.run_folder import load_run
from tests.training.fitting.test_fit import separable


def test_noise_has_the_norm_of_an_embedding_and_is_added_to_its_share(
    finished_run: Path, audioset: Path
) -> None:
    train, _ = load_run(finished_run).recipe.training_bags(audioset)
    noise = noise_embedding(train)
    assert float(noise.norm()) == pytest.approx(
        float(train.embeddings.norm(dim=-1).mean()), rel=1e-4
    )
    noisy = with_noise(train, noise, 0.2)
    struck = (noisy.embeddings != train.embeddings).any(-1)
    assert float(struck.float().mean()) == pytest.approx(0.2, abs=0.02)
    torch.testing.assert_close(
        (noisy.embeddings - train.embeddings)[struck], noise.expand(struck.sum(), -1)
    )


def test_without_clips_of_noise_it_is_told() -> None:
    with pytest.raises(TrainingDataError, match="White noise"):
        noise_embedding(separable(8))


def test_the_most_activated_instances_are_those_that_sound(
    finished_run: Path, audioset: Path
) -> None:
    loaded = load_run(finished_run)
    assert isinstance(loaded.network, MMGAT)
    bags = loaded.recipe.evaluation_bags(audioset)
    one_label = bags.select(bags.bag.sum(1) == 1)
    kept, share = most_activated(loaded.network, one_label, 3)
    assert set(kept.lengths.tolist()) == {3}
    label = one_label.bag.argmax(1)
    high = kept.embeddings[torch.arange(len(kept)), :, label] > 1.9
    assert float(high.float().mean()) > 0.6  # 0.3 by chance
    assert 0.3 < share <= 1
    everything, whole = most_activated(loaded.network, one_label, 10)
    assert torch.equal(everything.embeddings, one_label.embeddings)
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
