import numpy as np
import pytest

from mmgat.model.labels import INDEX, N_LABELS
from mmgat.training.distillation.platt_scaling import PlattScaling, TeacherScores


@pytest.fixture
def labelled() -> tuple[TeacherScores, np.ndarray]:
    """20,000 clips of which every label is in a third; both teachers are far too timid."""
    rng = np.random.default_rng(0)
    truth = rng.random((20_000, N_LABELS)) < 1 / 3
    log_odds = np.where(truth, -2.0, -4.0) + rng.normal(0, 1, truth.shape)
    scores = 1 / (1 + np.exp(-log_odds))
    return TeacherScores(scores, scores), truth


def test_probabilities_are_how_often_a_label_plays_at_such_scores(
    labelled: tuple[TeacherScores, np.ndarray],
):
    scores, truth = labelled
    probability = PlattScaling(scores, truth, np.ones_like(truth))(scores)
    assert scores.mn04[truth].mean() < 0.2
    for low in (0.1, 0.3, 0.5, 0.7):
        such = (probability >= low) & (probability < low + 0.2)
        assert truth[such].mean() == pytest.approx(probability[such].mean(), abs=0.02)


def test_higher_scores_have_higher_probabilities(labelled: tuple[TeacherScores, np.ndarray]):
    scaling = PlattScaling(labelled[0], labelled[1], np.ones_like(labelled[1]))
    rising = np.repeat(np.linspace(0, 1, 50)[:, None], N_LABELS, axis=1)
    assert (np.diff(scaling(TeacherScores(rising, rising)), axis=0) >= 0).all()


def test_unknown_labels_do_not_change_the_scaling(labelled: tuple[TeacherScores, np.ndarray]):
    scores, truth = labelled
    known = np.random.default_rng(1).random(truth.shape) < 0.5
    wrong = np.where(known, truth, ~truth)
    one, other = (PlattScaling(scores, labels, known)(scores) for labels in (truth, wrong))
    assert (one == other).all()


def test_a_label_that_never_plays_keeps_mn04s_score(labelled: tuple[TeacherScores, np.ndarray]):
    scores, truth = labelled
    ukulele = INDEX["ukulele"]
    without = truth.copy()
    without[:, ukulele] = False
    probability = PlattScaling(scores, without, np.ones_like(truth))(scores)
    assert probability[:, ukulele] == pytest.approx(scores.mn04[:, ukulele])


def test_no_clips_have_no_probabilities(labelled: tuple[TeacherScores, np.ndarray]):
    scaling = PlattScaling(labelled[0], labelled[1], np.ones_like(labelled[1]))
    assert scaling(TeacherScores(*np.zeros((2, 0, N_LABELS)))).shape == (0, N_LABELS)
