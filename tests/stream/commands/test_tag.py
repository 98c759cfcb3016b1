import pytest

from mmgat.model.labels import LABELS
from mmgat.stream.bus.protocol import Estimate
from mmgat.stream.commands.tag import file_scores
from mmgat.stream.settings import StreamSettings


def estimates(piano: list[float]) -> list[Estimate]:
    """One estimate a window with that much piano in the graph."""
    nothing = dict.fromkeys(LABELS, 0.0)
    return [
        Estimate(
            source="lab", index=i, t0=i, t1=i + 1, scores=nothing,
            bag_scores=nothing | {"piano": score},
            active=[], evidence={}, evidence_t0=[], level_dbfs=-20,
        )
        for i, score in enumerate(piano)
    ]  # fmt: skip


def test_a_short_file_is_one_bag_of_all_its_phases() -> None:
    scores = file_scores(estimates([0, 0, 0.2, 0.4]), StreamSettings(hop_s=0.5, nodes=10))
    assert scores["piano"] == pytest.approx(0.3)
    assert scores["flute"] == 0


def test_a_long_file_is_the_mean_of_its_stretches_by_their_length() -> None:
    scores = file_scores(estimates([0, 0, 0, 0.9, 0, 0.3]), StreamSettings(hop_s=1.0, nodes=4))
    assert scores["piano"] == pytest.approx((4 * 0.9 + 2 * 0.3) / 6)


def test_no_windows_give_zeros() -> None:
    assert set(file_scores([], StreamSettings()).values()) == {0.0}
