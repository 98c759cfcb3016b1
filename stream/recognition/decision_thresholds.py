"""The thresholds a stream decides by: the model's, with the user's changes."""

from __future__ import annotations

from collections.abc import Iterable

from mmgat.model.card import Card
from mmgat.model.labels import LABELS
from mmgat.stream.errors import SettingsError
from mmgat.stream.settings import DecisionSettings


def decision_thresholds(card: Card, settings: DecisionSettings) -> dict[str, float]:
    """label -> score at which it counts as sounding. A label that is not in it is never named.

    Raises:
        SettingsError: an unknown label, a threshold that is none, or no label is left.
        CheckpointError: the model has no thresholds for that sensitivity.
    """
    thresholds = card.thresholds_at(settings.sensitivity)
    for text in settings.threshold:
        label, equals, value = text.partition("=")
        score = _score(value) if equals else None
        if score is None:
            raise SettingsError(
                f"expected a threshold such as piano=0.4, from 0 to 1, found {text!r}"
            )
        thresholds[known_label(label)] = score
    if settings.labels:
        wanted = set(_labels(settings.labels))
        thresholds = {label: score for label, score in thresholds.items() if label in wanted}
    for label in _labels(settings.exclude):
        thresholds.pop(label, None)
    if not thresholds:
        raise SettingsError(
            f"expected at least one label to name, found none left of labels {settings.labels!r} "
            f"without {settings.exclude!r}"
        )
    return thresholds


def _labels(text: str) -> Iterable[str]:
    return [known_label(part) for part in text.split(",") if part.strip()]


def known_label(text: str) -> str:
    """The label that a text means, however it is written.

    Raises:
        SettingsError: none.
    """
    label = text.strip().lower().replace(" ", "_").replace("-", "_")
    if label not in LABELS:
        raise SettingsError(f"expected a label of {', '.join(LABELS)}, found {text.strip()!r}")
    return label


def _score(text: str) -> float | None:
    try:
        score = float(text)
    except ValueError:
        return None
    return score if 0 <= score <= 1 else None
