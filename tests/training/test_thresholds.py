import numpy as np

from model.labels import INDEX, LABELS, N_LABELS
from training.thresholds import quiet_on

CUTS = dict.fromkeys(LABELS, 0.3)


def raised(seconds: list[float], known: float = 1.0) -> float:
    """Piano's threshold after one bag in which nothing plays got these scores."""
    scores = np.zeros((1, len(seconds), N_LABELS), np.float32)
    scores[0, :, INDEX["piano"]] = seconds
    return quiet_on(CUTS, scores, np.full_like(scores, known))["piano"]


def test_a_score_that_would_cause_a_false_event_raises_the_threshold() -> None:
    assert raised([0.1, 0.5, 0.6, 0.1]) == 0.51


def test_one_high_second_causes_no_event() -> None:
    assert raised([0.1, 0.9, 0.1]) == 0.3


def test_a_threshold_is_not_raised_above_the_limit() -> None:
    assert raised([0.9, 0.95]) == 0.75


def test_what_nobody_knows_raises_nothing() -> None:
    assert raised([0.9, 0.9], known=0.0) == 0.3
