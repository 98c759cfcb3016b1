from mmgat.model.labels import FAMILIES, INDEX, LABELS, ONSETS, membership


def test_labels_are_openmics_twenty_in_sorted_order() -> None:
    assert len(LABELS) == 20
    assert list(LABELS) == sorted(LABELS)
    assert (INDEX["accordion"], INDEX["saxophone"], INDEX["voice"]) == (0, 13, 19)


def test_onset_classes_are_the_papers_index_sets() -> None:
    rows = membership(ONSETS)
    sets = [{i for i, member in enumerate(row) if member} for row in rows]
    assert sets[0] == {0, 2, 3, 4, 7, 11, 13, 18}
    assert sets[1] == {1, 5, 6, 8, 9, 10, 12, 14, 15, 16, 17}
    assert sets[2] == {19}


def test_every_label_has_one_family() -> None:
    assert sorted(label for members in FAMILIES.values() for label in members) == list(LABELS)
