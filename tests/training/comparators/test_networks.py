import numpy as np
import pytest
import torch

from mmgat.training.comparators.classical import CLASSICAL, PerLabel
from mmgat.training.comparators.networks import COMPARATORS
from mmgat.training.data.bags import Bags
from mmgat.training.fitting.fit import fit, predict
from mmgat.training.fitting.losses import BagLoss
from mmgat.training.metrics import mean_average_precision
from tests.training.fitting.test_fit import QUICK, separable


def map_of(bags: Bags, scores: np.ndarray) -> float:
    return mean_average_precision(bags.bag.numpy(), scores, bags.bag_weight.numpy())


@pytest.mark.parametrize("name", COMPARATORS)
def test_each_comparator_learns_labels_of_bags(name: str) -> None:
    torch.manual_seed(0)
    network = COMPARATORS[name](32, 0.0, 0)
    fit(network, BagLoss(0.2), separable(256), separable(seed=1), QUICK, report=lambda _: None)
    fresh = separable(seed=2)
    assert map_of(fresh, predict(network, fresh)[0]) > 0.85


@pytest.mark.parametrize("name", COMPARATORS)
def test_padding_changes_nothing(name: str) -> None:
    torch.manual_seed(0)
    network = COMPARATORS[name](16, 0.0, 4).eval()
    embeddings = torch.randn(3, 6, 128)
    mask = torch.arange(6) < torch.tensor([[4], [4], [4]])
    padded, short = network(embeddings, mask), network(embeddings[:, :4], mask[:, :4])
    torch.testing.assert_close(padded.bag_scores, short.bag_scores)
    torch.testing.assert_close(padded.tag_logits, short.tag_logits)


@pytest.mark.parametrize("name", CLASSICAL)
def test_each_classical_comparator_learns_from_mean_embeddings(name: str) -> None:
    train, fresh = separable(256), separable(seed=2)
    known = torch.ones(1, 20)
    sounds = torch.rand(256, 20, generator=torch.Generator().manual_seed(0)) < 0.5
    bag = torch.where(train.bag_weight > 0, train.bag, sounds.float())
    everywhere = Bags(**(train.__dict__ | {"bag": bag, "bag_weight": known.expand(256, -1)}))
    classifier = PerLabel(name, seed=0).fit(everywhere)
    assert map_of(fresh, classifier.predict(fresh)) > 0.8
    assert classifier.n_parameters > 0
