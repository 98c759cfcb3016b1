"""Platt scaling: the teachers' scores become probabilities of the 20 labels.

A tagger's score is not the probability that an instrument plays: mn04 gives 0.05 to a bass that
certainly plays and 0.3 to a drum. In synthetic clips both scores and truth are known. So a logistic
regression for every label, on the log-odds of both teachers, gives the probability. Source: Platt,
"Probabilistic Outputs for Support Vector Machines", 1999; its use here is ours.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from mmgat.model.labels import LABELS

MIN_POSITIVES: Final = 20
MIN_SCORE: Final = 1e-4
"""Scores are stored as float16; smaller ones are all taken as this."""

Floats = npt.NDArray[np.floating[Any]]


class TeacherScores(NamedTuple):
    """Scores of mn04 and of YAMNet on the same clips or seconds, both in [0, 1], [n, 20]."""

    mn04: Floats
    yamnet: Floats

    def log_odds(self) -> Floats:
        """Computes the log-odds of both, [n, 20, 2]."""
        scores = np.clip(np.stack(self, axis=-1), MIN_SCORE, 1 - MIN_SCORE)
        return np.asarray(np.log(scores / (1 - scores)))


class PlattScaling:
    """Maps teachers' scores to probabilities; a label that rarely plays keeps mn04's score.

    Args:
        scores: on clips or seconds with known truth, to fit the regressions on.
        truth, known: bool [n, 20].
    """

    def __init__(
        self, scores: TeacherScores, truth: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_]
    ) -> None:
        self.regressions: dict[int, LogisticRegression] = {}
        log_odds = scores.log_odds()
        for index in range(len(LABELS)):
            used = known[:, index]
            plays = truth[used, index]
            if min(plays.sum(), (~plays).sum()) >= MIN_POSITIVES:
                regression = LogisticRegression(C=1e3)
                self.regressions[index] = regression.fit(log_odds[used, index], plays)

    def __call__(self, scores: TeacherScores) -> npt.NDArray[np.float32]:
        """Computes probabilities [n, 20]."""
        found = np.array(scores.mn04, np.float32)
        log_odds = scores.log_odds()
        if len(found):
            for index, regression in self.regressions.items():
                found[:, index] = regression.predict_proba(log_odds[:, index])[:, 1]
        return found
