import numpy as np

from mmgat.model.labels import INDEX, LABELS, N_LABELS
from mmgat.training.fitting.thresholds import Seconds, raise_for_false_alarms

CUTS = dict.fromkeys(LABELS, 0.3)


def bags(label: str, *scores: list[float], playing: bool = False, known: float = 1.0) -> Seconds:
    """Bags in which one label gets scores, and plays all the time or never."""
    shape = (len(scores), len(scores[0]), N_LABELS)
    found, truth = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    found[..., INDEX[label]] = scores
    truth[..., INDEX[label]] = playing
    return Seconds(truth, found, np.full(shape, known, np.float32))


PIANO = bags("piano", [0.4, 0.6, 0.7, 0.8], playing=True)


def raised(*scores: list[float], known: float = 1.0, most_events: int = 0) -> float:
    """Piano's threshold after bags in which nothing plays got these scores."""
    return raise_for_false_alarms(CUTS, bags("piano", *scores, known=known), PIANO, most_events)[
        "piano"
    ]


def test_a_score_that_would_cause_a_false_event_raises_the_threshold() -> None:
    assert raised([0.1, 0.6, 0.5, 0.1]) == 0.61


def test_one_high_second_is_an_event_and_so_are_many_in_a_row() -> None:
    assert raised([0.1, 0.6, 0.1]) == 0.61
    assert raised([0.6, 0.6, 0.6, 0.1], most_events=1) == 0.3


def test_what_nobody_knows_raises_nothing() -> None:
    assert raised([0.9, 0.9], known=0.0) == 0.3


def test_as_many_events_as_are_allowed_may_remain() -> None:
    assert raised([0.5, 0.5], [0.8, 0.8], most_events=2) == 0.3
    assert raised([0.5, 0.5], [0.8, 0.8], most_events=1) == 0.51


def test_the_label_that_loses_least_by_it_is_raised() -> None:
    both = bags("piano", [0.5, 0.5, 0.0])
    both.scores[..., INDEX["cello"]] = [0.5, 0.5, 0.0]
    playing = bags("piano", [0.4, 0.45, 0.8], playing=True)
    playing.truth[..., INDEX["cello"]] = 1
    playing.scores[..., INDEX["cello"]] = 0.9
    found = raise_for_false_alarms(CUTS, both, playing, most_events=1)
    assert (found["piano"], found["cello"]) == (0.3, 0.51)


def test_a_label_goes_on_naming_two_fifths_of_what_it_named() -> None:
    assert raised([0.66, 0.66]) == 0.67
    assert raised([0.75, 0.75]) == 0.3


def test_events_that_no_threshold_prevents_do_not_hang_it() -> None:
    assert raised([1.0, 1.0]) == 0.3
