from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mmgat.model.labels import INDEX, LABELS, ONSETS, membership
from mmgat.model.mmgat import MMGAT, MMGATConfig
from mmgat.training.data.bags import Bags, load_bags
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.fit import FitSettings, fit, validate
from mmgat.training.fitting.losses import (
    LossWeights,
    MMGATLoss,
    group_targets,
    masked_mean,
    presence_loss,
)
from mmgat.training.fitting.thresholds import calibrate
from mmgat.training.metrics import mean_average_precision
from tests.conftest import untrained_mmgat


def separable(n: int = 96, n_instances: int = 5, seed: int = 0) -> Bags:
    """Bags in which the first coordinate of an embedding is high for piano, the second for flute."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = 0.3 * torch.randn(n, n_instances, 128, generator=generator)
    instance = torch.zeros(n, n_instances, len(LABELS))
    for column, label in enumerate(("piano", "flute")):
        sounds = torch.rand(n, n_instances, generator=generator) < 0.3
        embeddings[..., column] += 3.0 * sounds
        instance[..., INDEX[label]] = sounds.float()
    known = torch.zeros(len(LABELS))
    known[[INDEX["piano"], INDEX["flute"]]] = 1
    return Bags(
        embeddings=embeddings,
        lengths=torch.full((n,), n_instances),
        bag=instance.amax(1),
        bag_weight=known.expand(n, -1),
        instance=instance,
        instance_weight=known.expand(n, n_instances, -1),
        tags=torch.zeros(n, 0),
    )


QUICK = FitSettings(epochs=8, batch=16, ema=0.9, learning_rate=1e-2)


def small(seed: int = 0) -> tuple[MMGAT, MMGATLoss]:
    torch.manual_seed(seed)
    config = MMGATConfig(
        text_size=16, n_layers=1, n_heads=2, state_sizes=(32, 32), dropout=0.0, graph_dropout=0.0
    )
    network = MMGAT(config, torch.randn(20, 16))
    return network, MMGATLoss(network)


def fitted(settings: FitSettings = QUICK, folder: Path | None = None) -> tuple[MMGAT, list[str]]:
    lines: list[str] = []
    bags, held_out = separable(), separable(seed=1)
    return fit(*small(), bags, held_out, settings, folder, lines.append), lines


def test_fitting_learns_labels_of_bags_and_of_seconds() -> None:
    network, lines = fitted()
    found = validate(network, separable(seed=2))
    assert found["clips"] > 0.9
    assert found["seconds"] > 0.9
    assert len(lines) == QUICK.epochs


def same_weights(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(map(torch.equal, a.state_dict().values(), b.state_dict().values()))


def test_the_same_seed_gives_the_same_network_and_another_does_not() -> None:
    settings = FitSettings(epochs=1, batch=32, noise=0.1, crop=0.5)
    once, again = fitted(settings)[0], fitted(settings)[0]
    other = fitted(msgspec.structs.replace(settings, seed=1))[0]
    assert same_weights(once, again)
    assert not same_weights(once, other)


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(QUICK, epochs=4, noise=0.1)
    whole, _ = fitted(settings, tmp_path / "whole")

    def stop(line: str) -> None:
        if line.startswith("epoch 1"):
            raise KeyboardInterrupt

    folder = tmp_path / "stopped"
    with pytest.raises(SystemExit):
        fit(*small(), separable(), separable(seed=1), settings, folder, stop)
    resumed, lines = fitted(settings, folder)
    assert [line.split(":")[0] for line in lines] == ["epoch 1", "epoch 2", "epoch 3"]
    assert same_weights(whole, resumed)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_fits_as_well_and_gives_the_network_back_on_the_cpu() -> None:
    network, _ = fitted()
    assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}
    assert validate(network, separable(seed=2))["clips"] > 0.9


def test_without_a_better_epoch_it_ends_early() -> None:
    settings = msgspec.structs.replace(QUICK, epochs=30, learning_rate=1e-12, ema=0.0, patience=2)
    assert len(fitted(settings)[1]) == 3


def test_tensorboard_finds_the_held_out_figure_of_every_epoch(tmp_path: Path) -> None:
    fitted(msgspec.structs.replace(QUICK, epochs=3), tmp_path)
    log = EventAccumulator(str(tmp_path / "log")).Reload()
    assert len(log.Scalars("map")) == 3


def test_unknown_labels_do_not_train() -> None:
    model = untrained_mmgat()
    loss = MMGATLoss(model, LossWeights(reconstruction=0.0))  # which masks at random
    bags = separable(8)
    output = model(bags.embeddings, bags.mask())
    value = loss(model, output, bags.targets())
    unknown = bags.bag_weight == 0
    other = replace(
        bags,
        bag=torch.where(unknown, torch.ones(()), bags.bag),
        instance=torch.where(unknown[:, None], torch.ones(()), bags.instance),
    )
    assert torch.equal(loss(model, output, other.targets()), value)


def test_presence_asks_whether_anything_sounds_and_only_where_that_is_known() -> None:
    logits = torch.full((1, 4, 20), -4.0)
    target, weight = torch.zeros(1, 4, 20), torch.ones(1, 4, 20)
    target[0, 1, 3] = 1  # the second second has a label, and more may sound
    weight[0, 1, 5:] = 0
    weight[0, 2, 5] = 0  # in the third anything might
    weight[0, 3] = 0  # the fourth is padding
    loss, gradient = torch.func.grad_and_value(presence_loss)(logits, target, weight)[::-1]
    any_sounds = torch.tensor(-4.0).expand(20).logsumexp(0).sigmoid()
    torch.testing.assert_close(loss, -((1 - any_sounds).log() + any_sounds.log()) / 2)
    assert (gradient[0, 0] > 0).all()
    assert (gradient[0, 1] < 0).all()
    assert not gradient[0, 2:].any()


def test_a_group_is_on_with_any_member_and_off_only_when_all_are_known() -> None:
    groups = torch.tensor(membership(ONSETS), dtype=torch.float32)
    bag, weight = torch.zeros(3, 20), torch.zeros(3, 20)
    bag[0, INDEX["flute"]] = weight[0, INDEX["flute"]] = 1
    weight[1, INDEX["flute"]] = 1
    weight[2] = 1
    target, known = group_targets(bag, weight, groups)
    assert target.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert known.tolist() == [[1, 0, 0], [0, 0, 0], [1, 1, 1]]


def test_a_mean_of_nothing_is_zero() -> None:
    assert masked_mean(torch.ones(3), torch.zeros(3)) == 0


def test_crops_are_stretches_of_their_bags_with_their_targets() -> None:
    bags = separable(64)
    bags = replace(bags, embeddings=torch.arange(64 * 5.0).reshape(64, 5, 1).expand(64, 5, 128))
    cropped = bags.crop(torch.Generator().manual_seed(0), shortest=2)
    assert set(cropped.lengths.tolist()) == {2, 3, 4, 5}
    for bag in range(64):
        kept = cropped.embeddings[bag, : cropped.lengths[bag], 0]
        first = int(kept[0]) - 5 * bag
        assert torch.equal(kept, bags.embeddings[bag, first : first + len(kept), 0])
        assert torch.equal(
            cropped.instance[bag, : len(kept)], bags.instance[bag, first : first + len(kept)]
        )
        assert not cropped.instance_weight[bag, len(kept) :].any()


def test_temporal_cutmix_joins_a_beginning_and_an_end_with_the_targets_of_their_seconds() -> None:
    bags = separable(32)
    names = torch.arange(32.0)[:, None, None].expand(32, 5, 128)
    joined = replace(bags, embeddings=names).temporal_cutmix(torch.Generator().manual_seed(0))
    for bag in range(32):
        sources = joined.embeddings[bag, :, 0].long()
        assert sources[0] == bag
        for second, source in enumerate(sources):
            assert torch.equal(joined.instance[bag, second], bags.instance[source, second])
        cuts = (sources != bag).long()
        assert torch.equal(cuts, cuts.sort().values)
    known = bags.bag_weight[0] > 0
    assert torch.equal(joined.bag[:, known], joined.instance.amax(1)[:, known])
    assert not joined.bag_weight[:, ~known].any()


def test_instance_mix_has_embeddings_and_labels_of_two_bags() -> None:
    bags = separable(64)
    names = torch.arange(1.0, 65.0)[:, None, None].expand(64, 5, 128)
    lengths = torch.full((64,), 5)
    lengths[:8] = 3
    names = names * (torch.arange(5) < lengths[:, None]).unsqueeze(-1)
    bags = replace(bags, embeddings=names, lengths=lengths)
    mixed = bags.instance_mix(torch.Generator().manual_seed(0))
    assert torch.equal(mixed.lengths, lengths)
    two = 0
    for bag in range(64):
        sources = set(mixed.embeddings[bag, : lengths[bag], 0].long().tolist())
        assert 0 not in sources  # never padding
        assert len(sources) <= 2
        if other := sources - {bag + 1}:
            two += 1
            either = torch.maximum(bags.bag[bag], bags.bag[other.pop() - 1])
            assert torch.equal(mixed.bag[bag], either * bags.bag_weight[bag])
    assert two > 50


def test_instance_mix_knows_an_absence_only_if_both_bags_do() -> None:
    bags = separable(2)
    bag, weight = torch.zeros(2, 20), torch.zeros(2, 20)
    weight[:, 0] = 1  # absent in both
    weight[0, 1] = 1  # absent in one, unknown in the other
    bag[0, 2] = weight[0, 2] = 1  # present in one, unknown in the other
    bags = replace(bags, bag=bag, bag_weight=weight)
    for seed in range(20):
        mixed = bags.instance_mix(torch.Generator().manual_seed(seed))
        if not torch.equal(mixed.embeddings, bags.embeddings):
            break
    swapped = (mixed.embeddings != bags.embeddings).flatten(1).any(1)
    assert swapped.any()
    for index in torch.nonzero(swapped).flatten().tolist():
        assert mixed.bag_weight[index, :4].tolist() == [1, 0, 1, 0]
        assert mixed.bag[index, :4].tolist() == [0, 0, 1, 0]


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bags.npz"
    np.savez(path, features=np.zeros((1, 10, 128)))
    with pytest.raises(TrainingDataError, match="expected embeddings in .* with embeddings, bag"):
        load_bags(path)


def test_a_threshold_separates_what_can_be_separated_and_rare_labels_get_the_median() -> None:
    truth = np.zeros((100, 20))
    truth[:20, INDEX["piano"]] = 1
    truth[:20, INDEX["flute"]] = 1
    scores = np.full((100, 20), 0.1)
    scores[:20, INDEX["piano"]] = 0.3
    scores[:20, INDEX["flute"]] = 0.7
    found = calibrate(truth, scores, np.ones((100, 20)))
    assert found["piano"] == pytest.approx(0.3)
    assert found["flute"] == 0.6  # the highest allowed
    assert found["banjo"] == pytest.approx(0.5)


def test_too_few_positives_cannot_be_calibrated() -> None:
    with pytest.raises(ValueError, match="expected 5 known positives"):
        calibrate(np.zeros((5, 20)), np.ones((5, 20)), np.ones((5, 20)))


def test_average_precision_counts_only_what_is_known() -> None:
    truth, scores, known = np.zeros((4, 20)), np.zeros((4, 20)), np.ones((4, 20))
    truth[0, 0] = 1
    scores[:, 0] = [0.9, 0.8, 0.1, 0.95]
    assert mean_average_precision(truth, scores, known) == pytest.approx(0.5)
    known[3, 0] = 0
    assert mean_average_precision(truth, scores, known) == pytest.approx(1.0)
