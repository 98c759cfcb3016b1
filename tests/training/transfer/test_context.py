"""Which seconds of a graph speak for each other."""

import numpy as np
import pytest
import torch

from mmgat.model.mmgat import MMGAT, MMGATConfig
from mmgat.training.errors import TrainingDataError
from mmgat.training.transfer.context import DECAY, LIKENESS, Rows, choices, joined, set_context

N, SIZE = 40, 20
"""Clips; entries that are compared."""


def an_mmgat(has_prior: bool = True) -> MMGAT:
    config = MMGATConfig(
        scales=("temporal-1",), n_layers=1, input_size=SIZE + 20, n_compared=SIZE, hidden=8,
        state_sizes=(4, 4), text_size=0, n_auxiliary=0, has_prior=has_prior,
    )  # fmt: skip
    torch.manual_seed(0)
    return MMGAT(config, None).eval()


def clips(heard: float, doubt: float) -> Rows:
    """One instrument a clip, of a timbre of its own; its prior logits are right but for ``doubt``."""
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 20
    targets = np.zeros((N, 10, 20), np.float32)
    targets[np.arange(N), :, labels] = 1
    timbre = np.eye(SIZE)[labels][:, None] + 0.1 * rng.standard_normal((N, 10, SIZE))
    prior = heard * (2 * targets - 1) + doubt * rng.standard_normal(targets.shape)
    nodes = torch.from_numpy(np.concatenate([timbre, prior], 2).astype(np.float32))
    known = torch.from_numpy(targets)
    return Rows(nodes, known, torch.ones_like(known))


def test_seconds_of_another_timbre_are_left_behind() -> None:
    rows, found = clips(heard=4.0, doubt=1.0), list[str]()
    good = choices(an_mmgat(), dict.fromkeys(("music", "pieces", "notes"), rows), found.append)
    assert len(found) == len(LIKENESS) * len(DECAY)
    assert good[0].likeness >= 2
    assert good == sorted(good, key=lambda choice: choice.changed)
    alike = min(good, key=lambda choice: choice.likeness)
    assert good[0].changed < 0.5 * alike.changed


def test_what_harms_music_as_it_is_is_no_choice() -> None:
    rows = clips(heard=1.0, doubt=3.0)  # no second is worth much without the others
    timbre = torch.randn(N, 10, SIZE, generator=torch.Generator().manual_seed(1))
    alone = rows._replace(nodes=torch.cat([timbre, rows.nodes[..., SIZE:]], dim=2))
    held_out = {"music": alone, "pieces": rows, "notes": rows}
    good = choices(an_mmgat(), held_out, lambda _: None)
    least = min(choice.whole for choice in good)
    assert all(choice.whole <= 1.01 * least for choice in good)
    assert max(choice.likeness for choice in good) < 3
    assert max(choice.decay for choice in good) < 0.2


def test_all_labels_get_the_same_context() -> None:
    mmgat = an_mmgat()
    set_context(mmgat, 1.5, 0.3)
    assert mmgat.prior is not None
    assert mmgat.prior.likeness.tolist() == [1.5] * 20
    decay = torch.nn.functional.softplus(mmgat.prior.decay)
    assert decay.tolist() == pytest.approx([0.3] * 20)


def test_the_newest_seconds_are_the_clips_own() -> None:
    nodes = torch.arange(3 * 10).float().view(3, 10, 1)
    found = joined(nodes, np.array([1, 2, 0]), 3)[..., 0]
    assert found[0].tolist() == [13, 14, 15, 16, 17, 18, 19, 0, 1, 2]
    assert found[2].tolist() == [3, 4, 5, 6, 7, 8, 9, 20, 21, 22]


def test_an_mmgat_without_prior_logits_is_told() -> None:
    with pytest.raises(TrainingDataError, match="expected an MMGAT that adds to prior logits"):
        set_context(an_mmgat(has_prior=False), 1.0, 0.1)
