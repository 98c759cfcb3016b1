import copy

import pytest
import torch
from torch import nn

from mmgat.training.transfer.averaging import AveragedTraining, part_of_the_way


def test_training_goes_down_and_the_average_lags_behind() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(layer.weight)
    groups = [{"params": layer.parameters(), "lr": 0.1, "weight_decay": 0.0}]
    training = AveragedTraining(layer, groups, n_steps=60, warm_up=0.1, decay=0.9)
    found = []
    for _ in range(60):
        training.step((layer(torch.ones(1, 1)) - 1).square().mean())
        found.append((layer.weight.item(), training.average.weight.item()))
    trained, averaged = found[10]
    assert 0 < averaged < trained
    assert found[-1] == pytest.approx((1, 1), abs=0.1)


def test_no_gradient_moves_a_weight_faster_than_the_norm_allows() -> None:
    layers = [nn.Linear(4, 1, bias=False) for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())
    for layer, loudness in zip(layers, (1.0, 1e6), strict=True):
        groups = [{"params": layer.parameters(), "lr": 0.1, "weight_decay": 0.0}]
        AveragedTraining(layer, groups, 4, 0.5, 0.9).step(loudness * layer(torch.ones(4)).sum())
        assert layer.weight.grad is not None
        assert layer.weight.grad.norm() <= 1.0001


def test_a_share_of_the_way_lies_between() -> None:
    start, end = nn.Linear(2, 2), nn.Linear(2, 2)
    whole, none, half = (copy.deepcopy(end) for _ in range(3))
    for module, share in ((whole, 1.0), (none, 0.0), (half, 0.5)):
        part_of_the_way(module, start, share)
    torch.testing.assert_close(whole.weight, end.weight)
    torch.testing.assert_close(none.weight, start.weight)
    torch.testing.assert_close(half.weight, (start.weight + end.weight) / 2)
