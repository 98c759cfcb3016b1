import msgspec
import pytest

from mmgat.model.card import OperatingPoint
from mmgat.model.errors import CheckpointError
from mmgat.model.labels import LABELS
from mmgat.stream.errors import SettingsError
from mmgat.stream.recognition.decision_thresholds import decision_thresholds
from mmgat.stream.settings import DecisionSettings
from tests.conftest import untrained_card


def test_by_default_they_are_the_cards() -> None:
    card = untrained_card()
    assert decision_thresholds(card, DecisionSettings()) == card.thresholds


def test_a_sensitivity_takes_its_operating_point() -> None:
    eager = OperatingPoint(dict.fromkeys(LABELS, 0.05))
    card = msgspec.structs.replace(untrained_card(), operating_points={"high": eager})
    assert decision_thresholds(card, DecisionSettings(sensitivity="high")) == eager.thresholds
    with pytest.raises(CheckpointError, match="low sensitivity"):
        decision_thresholds(card, DecisionSettings(sensitivity="low"))


def test_a_users_threshold_wins_and_other_labels_keep_theirs() -> None:
    settings = DecisionSettings(threshold=("piano=0.4", "mallet percussion=1"))
    found = decision_thresholds(untrained_card(), settings)
    assert (found["piano"], found["mallet_percussion"], found["voice"]) == (0.4, 1.0, 0.12)


def test_only_chosen_labels_may_be_named_and_never_excluded_ones() -> None:
    chosen = DecisionSettings(labels="piano, Voice")
    assert set(decision_thresholds(untrained_card(), chosen)) == {"piano", "voice"}
    without = decision_thresholds(untrained_card(), DecisionSettings(exclude="drums,cymbals"))
    assert set(LABELS) - set(without) == {"drums", "cymbals"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (DecisionSettings(threshold=("piano",)), "such as piano=0.4, from 0 to 1, found 'piano'"),
        (DecisionSettings(threshold=("piano=loud",)), "found 'piano=loud'"),
        (DecisionSettings(threshold=("piano=1.5",)), "found 'piano=1.5'"),
        (DecisionSettings(threshold=("piano=nan",)), "found 'piano=nan'"),
        (DecisionSettings(threshold=("kazoo=0.5",)), "a label of accordion.*found 'kazoo'"),
        (DecisionSettings(labels="piano,kazoo"), "found 'kazoo'"),
        (DecisionSettings(exclude="kazoo"), "found 'kazoo'"),
        (DecisionSettings(labels="piano", exclude="piano"), "at least one label.*'piano'"),
    ],
)
def test_what_is_no_label_or_no_score_is_refused(settings: DecisionSettings, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        decision_thresholds(untrained_card(), settings)
