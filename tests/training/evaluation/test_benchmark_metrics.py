import numpy as np
import pytest

from mmgat.training.evaluation.benchmark_metrics import irmas_clip_scores, irmas_scores
from mmgat.training.metrics import f1_scores


def test_hans_sum_makes_a_clips_largest_score_one() -> None:
    windows = np.array([[0.2, 0.4], [0.0, 0.4]])
    assert irmas_clip_scores(windows, "sum").tolist() == pytest.approx([0.25, 1.0])
    assert irmas_clip_scores(windows, "mean").tolist() == pytest.approx([0.1, 0.4])


def test_a_silent_clip_has_scores_of_zero() -> None:
    assert irmas_clip_scores(np.zeros((3, 10))).tolist() == [0.0] * 10


def test_irmas_scores_of_a_small_example() -> None:
    truth = np.array([[1, 0], [1, 1]])
    scores = np.array([[0.9, 0.6], [0.8, 0.2]])
    found = irmas_scores(truth, scores, 0.5)
    assert found["micro_f1"] == pytest.approx(2 / 3)  # 2 right, 1 too many, 1 missed
    assert found["macro_f1"] == pytest.approx(0.5)  # 1 and 0
    assert found["lrap"] == pytest.approx(1.0)


def test_the_kinds_of_f1_differ_as_named() -> None:
    truth, decided = np.zeros((4, 20)), np.zeros((4, 20), bool)
    known = np.zeros((4, 20))
    known[:, 0] = 1
    truth[:2, 0] = 1
    decided[:1, 0] = True
    found = f1_scores(truth, decided, known)
    assert found["micro"] == found["macro"] == pytest.approx(2 / 3)
    assert found["macro_both"] == pytest.approx((2 / 3 + 4 / 5) / 2)
