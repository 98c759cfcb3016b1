import pytest

from mmgat.stream.engine.drop_rate import DropRate

MINUTE = 60


def test_the_share_is_of_the_last_five_minutes() -> None:
    loss = DropRate()
    assert loss.update(1000.0, 0, 0) == 0
    for second in range(1, 60):
        assert loss.update(1000.0 + second, 100 * second, 0) == 0
    assert loss.update(1060.0, 6000, 600) == pytest.approx(0.1)
    for second in range(61, 6 * MINUTE - 5):
        share = loss.update(1000.0 + second, 100 * second, 600)
    assert share == pytest.approx(600 / (300 * 100), rel=0.01)
    assert loss.update(1000.0 + 12 * MINUTE, 100 * 12 * MINUTE, 600) == 0


def test_asking_often_does_not_lengthen_its_memory() -> None:
    loss = DropRate()
    for tick in range(10_000):
        loss.update(tick / 100, tick, 0)
    assert len(loss._past) <= 102


def test_the_first_frames_count_and_without_frames_nothing_is_lost() -> None:
    assert DropRate().update(0.5, 1, 1) == 1.0
    assert DropRate().update(0.5, 0, 0) == 0.0
