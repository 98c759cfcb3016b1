"""Systems that make training clips, or order them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmgat.training.comparators.preparation import Preparation, pairs_of_one_label, single_windows
from mmgat.training.comparators.systems import staged_convnet, vae_augmentation, wavegan
from mmgat.training.comparators.systems.bosch_svm import (
    SupportVectors,
    SVMConfig,
    learned_from,
    make_classifier,
)
from mmgat.training.comparators.systems.staged_convnet import StagedConfig
from mmgat.training.comparators.systems.vae_augmentation import VAEConfig
from mmgat.training.comparators.systems.wavegan import (
    Critic,
    Generator,
    WaveGANConfig,
    shuffle_phase,
)
from mmgat.training.data.bags import Bags
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.fit import predict

SIZES = {"log-mel": 43 * 128, "raw": 16_000}


def seconds(kind: str, n_bags: int = 8) -> Bags:
    """Bags of ten seconds in which one of two labels sounds, each a tone of its own."""
    rng = np.random.default_rng(n_bags)
    label = rng.integers(0, 2, (n_bags, 10))
    time = np.arange(SIZES[kind]) / 16_000
    tones = np.stack([np.sin(2 * np.pi * hz * time) for hz in (300, 1200)])
    windows = tones[label] + 0.05 * rng.standard_normal((n_bags, 10, SIZES[kind]))
    instance = torch.nn.functional.one_hot(torch.from_numpy(label), 20).float()
    return Bags(
        torch.from_numpy(windows).half(),
        torch.full((n_bags,), 10),
        instance.amax(1),
        torch.ones(n_bags, 20),
        instance,
        torch.ones_like(instance),
        torch.zeros(n_bags, 0),
    )


def load(part: str, kind: str, kinds: Sequence[str]) -> Bags:
    return seconds(kind, 8 if not kinds else len(kinds) + 4)


PREPARATION = Preparation(load, seed=0, report=lambda _: None)


@pytest.mark.parametrize("mode", ["interpolation", "mixup", "none"])
def test_decoded_windows_are_added_to_real_ones(mode: str) -> None:
    train = seconds("log-mel")
    config = VAEConfig(mode=mode, epochs=1, share=0.25)  # type: ignore[arg-type]
    made = vae_augmentation.augmented(train, config, PREPARATION)
    assert len(made) == len(train) + (0 if mode == "none" else 2)
    assert made.embeddings.isfinite().all()
    assert made.embeddings.dtype == train.embeddings.dtype
    torch.testing.assert_close(made.embeddings[: len(train)], train.embeddings)


def test_accepted_sounds_are_added_to_real_seconds() -> None:
    config = WaveGANConfig(
        width=2, samples=512, rate_hz=8_000, iterations=1, critic_steps=1, batch=4, n_generated=24
    )
    train = seconds("log-mel")
    made = wavegan.augmented(train, config, PREPARATION)
    assert len(made) == len(train) + 2  # two labels: each is among the best three
    assert made.instance[len(train) :].sum(-1).min() >= 1
    assert made.embeddings.isfinite().all()


def test_without_generated_sounds_nothing_is_added() -> None:
    train = seconds("log-mel")
    assert wavegan.augmented(train, WaveGANConfig(n_generated=0), PREPARATION) is train


@pytest.mark.parametrize("samples", [512, 8192, 16_384])
def test_generator_and_critic_agree_on_the_length(samples: int) -> None:
    labels = torch.eye(20)[:2]
    sounds = Generator(1, samples)(torch.randn(2, 100), labels)
    assert sounds.shape == (2, samples)
    assert Critic(1, samples)(sounds, labels).shape == (2,)


def test_the_published_wavegan_has_its_five_layers_and_16_samples() -> None:
    generator = Generator(64, 16_384)
    assert [layer.out_channels for layer in generator.layers] == [512, 256, 128, 64, 1]
    assert generator.shape == (1024, 16)


def test_phase_shuffle_shifts_and_reflects() -> None:
    torch.manual_seed(0)
    h = torch.arange(8.0).expand(1, 1, 8)
    shifted = {tuple(shuffle_phase(h)[0, 0].tolist()) for _ in range(60)}
    assert shifted == {
        (2, 1, 0, 1, 2, 3, 4, 5),
        (1, 0, 1, 2, 3, 4, 5, 6),
        (0, 1, 2, 3, 4, 5, 6, 7),
        (1, 2, 3, 4, 5, 6, 7, 6),
        (2, 3, 4, 5, 6, 7, 6, 5),
    }


def test_a_shuffled_fit_takes_as_many_steps_as_a_staged_one() -> None:
    train = seconds("log-mel")
    config = StagedConfig(epochs=(2, 2, 2))
    staged = staged_convnet.stages(train, config, PREPARATION, batch=4)
    assert [stage.rate for stage in staged] == [1.0, 1.0, 0.2]
    steps = sum(stage.epochs * (len(stage.bags) // 4) for stage in staged)
    (shuffled,) = staged_convnet.stages(
        train, StagedConfig(epochs=(2, 2, 2), staged=False), PREPARATION, batch=4
    )
    assert shuffled.bags is train
    assert shuffled.epochs * (len(train) // 4) == steps


def test_pairs_have_one_label_and_two_windows() -> None:
    labels = torch.tensor([0, 0, 1, 1, 1, 2])
    first, second = pairs_of_one_label(labels, 50, np.random.default_rng(0))
    assert (labels[first] == labels[second]).all()
    assert (first != second).all()
    assert set(labels[first].tolist()) == {0, 1}  # of label 2 there is only one


def test_clips_without_known_seconds_are_refused() -> None:
    bags = seconds("log-mel")
    weak = Bags(**(bags.__dict__ | {"instance_weight": torch.zeros(8, 10, 20)}))
    with pytest.raises(TrainingDataError, match='data = "yard"'):
        single_windows(weak)


@pytest.mark.parametrize("labelled", [True, False], ids=["windows", "clips"])
def test_the_svm_is_scikit_learns(labelled: bool) -> None:
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.standard_normal((60, 1, 8))).float()
    on = torch.zeros(60, 20)
    on[:, 0] = (features[:, 0, 0] * features[:, 0, 1] > 0).float()
    unknown = torch.zeros(60, 1, 20)
    instance, weight = (on[:, None], torch.ones(60, 1, 20)) if labelled else (unknown, unknown)
    bag = torch.zeros(60, 20) if labelled else on
    bags = Bags(
        features, torch.ones(60).long(), bag, torch.ones(60, 20), instance, weight,
        torch.zeros(60, 0),
    )  # fmt: skip
    fitted = SupportVectors(config := SVMConfig(shape=(8,))).fit(bags, config, seed=0)
    scores, _ = predict(fitted, bags)
    same = features[:, 0].double().numpy()
    alone = make_pipeline(StandardScaler(), make_classifier()).fit(same, on[:, 0].numpy() > 0.5)
    expected = 1 / (1 + np.exp(-alone.decision_function(same)))
    np.testing.assert_allclose(scores[:, 0], expected, rtol=1e-4)
    assert (scores[:, 1:] < 0.01).all()  # labels without positives
    again = SupportVectors(config)
    again.load_state_dict(fitted.state_dict())
    np.testing.assert_array_equal(predict(again, bags)[0], scores)


def test_the_svm_learns_from_some_real_windows_of_every_clip() -> None:
    bags = seconds("log-mel")
    bags = replace(bags, lengths=torch.tensor([1, 2, 3, 4, 5, 6, 7, 8]))
    features, target, weight = learned_from(bags, 3, seed=0)
    assert len(features) == len(target) == len(weight) == 1 + 2 + 6 * 3
    real = bags.embeddings[bags.mask()].double().numpy()
    assert all((real == row).all(axis=1).any() for row in features)
