"""What the teachers' scores are worth: probabilities of the 20 labels, by Platt scaling (ours).

A tagger's score is not the probability that an instrument plays: mn04 gives a bass that surely plays
0.05, a drum 0.3. In clips made here both the scores and what plays are known, so one logistic
regression a label, on the two teachers' log-odds, tells how often a label plays at such scores.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from mmgat.model.labels import LABELS

MIN_POSITIVES: Final = 20
LEAST_SCORE: Final = 1e-4
"""Scores are float16: what is less says no more."""

Floats = npt.NDArray[np.floating[Any]]


class Opinions(NamedTuple):
    """Scores of mn04 and of YAMNet on the same clips or seconds, both in [0, 1], [n, 20]."""

    mn04: Floats
    yamnet: Floats

    def log_odds(self) -> Floats:
        """[n, 20, 2]."""
        scores = np.clip(np.stack(self, axis=-1), LEAST_SCORE, 1 - LEAST_SCORE)
        return np.asarray(np.log(scores / (1 - scores)))


class Calibration:
    """Opinions turned into probabilities; of a label that hardly plays in the clips, mn04's score.

    Args:
        opinions: on clips or seconds in which it is known what plays.
        truth, known: bool [n, 20].
    """

    def __init__(
        self, opinions: Opinions, truth: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_]
    ) -> None:
        self.scalings: dict[int, LogisticRegression] = {}
        log_odds = opinions.log_odds()
        for index in range(len(LABELS)):
            asked = known[:, index]
            plays = truth[asked, index]
            if min(plays.sum(), (~plays).sum()) >= MIN_POSITIVES:
                scaling = LogisticRegression(C=1e3)
                self.scalings[index] = scaling.fit(log_odds[asked, index], plays)

    def __call__(self, opinions: Opinions) -> npt.NDArray[np.float32]:
        """Probabilities [n, 20]."""
        found = np.array(opinions.mn04, np.float32)
        log_odds = opinions.log_odds()
        if len(found):
            for index, scaling in self.scalings.items():
                found[:, index] = scaling.predict_proba(log_odds[:, index])[:, 1]
        return found
