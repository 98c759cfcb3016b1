import torch

from mmgat.model.labels import INDEX
from mmgat.training.data.bags import Bags, weakly_labelled
from mmgat.training.data.published.openmic_irmas import append_by_class


def bags(labels: list[str], n_instances: int, first: float) -> Bags:
    """One bag a label; every embedding of a bag holds the bag's number from ``first`` on."""
    bag, weight = torch.zeros(len(labels), 20), torch.zeros(len(labels), 20)
    for index, label in enumerate(labels):
        bag[index, INDEX[label]] = weight[index, INDEX[label]] = 1
    embeddings = [torch.full((n_instances, 128), first + i) for i in range(len(labels))]
    return weakly_labelled(embeddings, bag, weight)


def drawn(appended: Bags) -> list[int]:
    """Which IRMAS clip follows every OpenMIC clip."""
    return [int(bag[10, 0]) for bag in appended.embeddings]


def test_a_clip_is_followed_by_one_of_its_label() -> None:
    openmic = bags(["piano", "flute"], 10, first=100)
    irmas = bags(["flute", "piano", "flute"], 3, first=0)
    appended = append_by_class(openmic, irmas, torch.Generator().manual_seed(0))
    assert appended.lengths.tolist() == [13, 13]
    assert drawn(appended)[0] == 1
    assert drawn(appended)[1] in (0, 2)
    assert torch.equal(appended.embeddings[:, :10], openmic.embeddings)
    assert torch.equal(appended.bag, openmic.bag)
    assert torch.equal(appended.bag_weight, openmic.bag_weight)


def test_clips_of_labels_irmas_has_not_stay_as_they_are() -> None:
    openmic = bags(["drums", "piano"], 10, first=100)
    appended = append_by_class(openmic, bags(["piano"], 3, 0), torch.Generator())
    assert appended.lengths.tolist() == [10, 13]


def test_a_label_known_to_be_absent_draws_nothing() -> None:
    openmic = bags(["piano"], 10, first=100)
    openmic.bag.zero_()
    appended = append_by_class(openmic, bags(["piano"], 3, 0), torch.Generator())
    assert appended.lengths.tolist() == [10]


def test_no_clip_is_drawn_twice_before_all_were() -> None:
    openmic, irmas = bags(["piano"] * 8, 10, first=100), bags(["piano"] * 4, 3, first=0)
    order = drawn(append_by_class(openmic, irmas, torch.Generator().manual_seed(0)))
    assert sorted(order[:4]) == sorted(order[4:]) == [0, 1, 2, 3]


def test_every_call_draws_anew() -> None:
    openmic, irmas = bags(["piano"] * 8, 10, first=100), bags(["piano"] * 8, 3, first=0)
    generator = torch.Generator().manual_seed(0)
    once, again = (drawn(append_by_class(openmic, irmas, generator)) for _ in range(2))
    assert once != again


def test_the_union_keeps_every_bag_at_its_own_length() -> None:
    both = bags(["piano"], 10, first=1).join(bags(["flute", "voice"], 3, first=5))
    assert both.lengths.tolist() == [10, 3, 3]
    assert both.bag.nonzero()[:, 1].tolist() == [INDEX[n] for n in ("piano", "flute", "voice")]
    assert not both.embeddings[1, 3:].any()
