from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.labels import INDEX, LABELS, ONSETS, membership
from tests.conftest import untrained_mmgat
from training.compact.rows import read_rows
from training.datasets.audioset import read_audioset
from training.errors import TrainingDataError
from training.fit import FitSettings, fit, validate
from training.losses import MMGATLoss, group_targets, masked_mean
from training.metrics import mean_average_precision
from training.rows import RowSet, batches
from training.thresholds import calibrate


def separable(n: int = 96, n_rows: int = 5, seed: int = 0) -> RowSet:
    """Bags in which the first coordinate of a row says piano and the second says flute."""
    generator = torch.Generator().manual_seed(seed)
    rows = 0.3 * torch.randn(n, n_rows, 128, generator=generator)
    instance = torch.zeros(n, n_rows, len(LABELS))
    for column, label in enumerate(("piano", "flute")):
        sounds = torch.rand(n, n_rows, generator=generator) < 0.3
        rows[..., column] += 3.0 * sounds
        instance[..., INDEX[label]] = sounds.float()
    known = torch.zeros(len(LABELS))
    known[[INDEX["piano"], INDEX["flute"]]] = 1
    return RowSet(
        rows=rows,
        lengths=torch.full((n,), n_rows),
        bag=instance.amax(1),
        bag_weight=known.expand(n, -1),
        instance=instance,
        instance_weight=known.expand(n, n_rows, -1),
    )


def test_fitting_learns_what_rows_say_of_bags_and_of_seconds() -> None:
    settings = FitSettings(epochs=8, batch=16, noise=0.0, ema=0.9)
    model = fit(
        separable(), separable(seed=1), torch.randn(20, 16), _small(), settings, lambda _: None
    )
    figures = validate(model, separable(seed=2))
    assert figures["clips"] > 0.9
    assert figures["seconds"] > 0.9


def _small():  # type: ignore[no-untyped-def]
    from model.mmgat import MMGATConfig

    return MMGATConfig(text_size=16, n_layers=1, hidden=32, n_heads=2, dropout=0.0)


def test_the_same_seed_gives_the_same_network() -> None:
    settings = FitSettings(epochs=1, batch=32)
    once, again = (
        fit(separable(), separable(), torch.ones(20, 16), _small(), settings, lambda _: None)
        for _ in range(2)
    )
    for a, b in zip(once.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_unknown_labels_do_not_train() -> None:
    model = untrained_mmgat()
    loss = MMGATLoss(model.config.hidden)
    rows = separable(8)
    output = model(model.graph(rows.rows, rows.mask()))
    value = loss(model, output, rows.targets())
    unknown = rows.bag_weight == 0
    other = replace(
        rows,
        bag=torch.where(unknown, torch.ones(()), rows.bag),
        instance=torch.where(unknown[:, None], torch.ones(()), rows.instance),
    )
    assert torch.equal(loss(model, output, other.targets()), value)


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
    rows = separable(64)
    rows = replace(rows, rows=torch.arange(64 * 5.0).reshape(64, 5, 1).expand(64, 5, 128))
    cropped = rows.crop(torch.Generator().manual_seed(0), shortest=2)
    assert set(cropped.lengths.tolist()) == {2, 3, 4, 5}
    for bag in range(64):
        kept = cropped.rows[bag, : cropped.lengths[bag], 0]
        first = int(kept[0]) - 5 * bag
        assert torch.equal(kept, rows.rows[bag, first : first + len(kept), 0])
        assert torch.equal(
            cropped.instance[bag, : len(kept)], rows.instance[bag, first : first + len(kept)]
        )
        assert not cropped.instance_weight[bag, len(kept) :].any()


def test_spliced_bags_are_a_beginning_and_an_end_with_the_targets_of_their_seconds() -> None:
    rows = separable(32)
    names = torch.arange(32.0)[:, None, None].expand(32, 5, 128)
    spliced = replace(rows, rows=names).splice(torch.Generator().manual_seed(0))
    for bag in range(32):
        sources = spliced.rows[bag, :, 0].long()
        assert sources[0] == bag
        for second, source in enumerate(sources):
            assert torch.equal(spliced.instance[bag, second], rows.instance[source, second])
        cuts = (sources != bag).long()
        assert torch.equal(cuts, cuts.sort().values)
    known = rows.bag_weight[0] > 0
    assert torch.equal(spliced.bag[:, known], spliced.instance.amax(1)[:, known])
    assert not spliced.bag_weight[:, ~known].any()


def test_batches_hold_every_bag_at_most_once() -> None:
    rows = separable(50)
    rows = replace(rows, lengths=torch.arange(50))
    seen = torch.cat([b.lengths for b in batches(rows, 16, torch.Generator())])
    assert len(seen) == len(set(seen.tolist())) == 48


@pytest.fixture
def audioset(tmp_path: Path) -> tuple[Path, Path]:
    """Three clips in the published form: a piano, speech, and a flute of four rows."""
    names = [f"class {index}" for index in range(527)]
    from training.audioset_names import LABEL_NAMES

    wanted = ["Music", *(name for names in LABEL_NAMES.values() for name in names), "Scary music"]
    names[100 : 100 + len(wanted)] = wanted
    classes = tmp_path / "classes.csv"
    table = "\n".join(f'{i},/m/{i},"{name}"' for i, name in enumerate(names))
    classes.write_text(f"index,mid,display_name\n{table}\n")
    labels = np.zeros((3, 527), bool)
    labels[0, names.index("Electric piano")] = True
    labels[1, 0] = True
    labels[2, names.index("Flute")] = True
    path = tmp_path / "rows.npz"
    np.savez(
        path,
        features=np.full((3, 10, 128), 255, np.uint8),
        lengths=np.array([10, 10, 4], np.uint8),
        labels=np.packbits(labels, axis=1),
    )
    return path, classes


def test_audioset_rows_are_centred_padded_and_labelled(audioset: tuple[Path, Path]) -> None:
    rows = read_audioset(*audioset)
    assert [[LABELS[i] for i in bag.nonzero()] for bag in rows.bag] == [["piano"], [], ["flute"]]
    assert rows.lengths.tolist() == [10, 10, 4]
    assert rows.rows[2, :4].unique().tolist() == [2.0]
    assert not rows.rows[2, 4:].any()
    assert not rows.instance_weight.any()
    assert len(read_audioset(*audioset, music_only=True)) == 2


def test_damaged_rows_are_refused(audioset: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="expected AudioSet rows"):
        read_audioset(tmp_path / "nosuch.npz", audioset[1])
    with pytest.raises(TrainingDataError, match="expected rows in .* with rows, bag"):
        read_rows(audioset[0])


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
